"""The data set for PyTorch: filtered once, labels kept, and at home in a DataLoader."""

from __future__ import annotations

import io
import pickle
import subprocess
import sys

import numpy as np
import pytest
import skimage.data
from PIL import Image

torch = pytest.importorskip("torch")

from imagequality.torch import ValidatedImageDataset  # noqa: E402

PHOTO = skimage.data.astronaut()[:96, 160:288]
BLACK = np.zeros_like(PHOTO)
SMALL = PHOTO[:40, :40]


@pytest.fixture
def paths(tmp_path):
    images = {"a": PHOTO, "b": BLACK, "c": PHOTO[:, ::-1], "e": SMALL}
    for name, image in images.items():
        Image.fromarray(image).save(tmp_path / f"{name}.png")
    (tmp_path / "d.png").write_bytes(b"broken")
    return [str(tmp_path / f"{name}.png") for name in "abcde"]


def test_the_good_images_and_their_labels_are_kept(paths):
    data = ValidatedImageDataset(paths, labels=[10, 11, 12, 13, 14])
    assert (data.indices, data.labels) == ([0, 2], [10, 12])
    assert data.paths == [paths[0], paths[2]]
    assert data.dropped["position"].tolist() == [1, 3, 4]
    assert data.dropped.index.tolist() == [paths[1], paths[3], paths[4]]
    assert data.dropped["issues"].str[0].tolist() == ["dark", "invalid", "low_resolution"]
    assert data.dropped["reason"].all()
    assert len(data) == 2
    image, label = data[1]
    assert (image.mode, label) == ("RGB", 12)
    np.testing.assert_array_equal(np.asarray(image), PHOTO[:, ::-1])


def test_signature_of_the_guide(paths):
    data = ValidatedImageDataset(paths, np.asarray, 0.5)
    np.testing.assert_array_equal(data[0], PHOTO)
    assert len(ValidatedImageDataset(paths, None, 0.0)) == 4  # all that can be read
    assert len(ValidatedImageDataset(paths, min_side=32)) == 3
    assert len(ValidatedImageDataset(paths, thresholds={"dark": 0}, profile={"min_side": 4})) == 4


def test_images_are_judged_once(paths, monkeypatch):
    data = ValidatedImageDataset(paths)
    monkeypatch.setattr("imagequality.torch.validate_many", None)
    assert [image.size for image in (data[0], data[1], data[0])] == [(128, 96)] * 3


def test_images_are_loaded_as_they_were_judged():
    file = io.BytesIO()
    exif = Image.Exif()
    exif[0x0112] = 6  # lying on its side
    Image.fromarray(PHOTO).save(file, "PNG", exif=exif)
    data = ValidatedImageDataset([file.getvalue()])
    assert data[0].size == (96, 128)


def test_a_loader_of_ones_own(paths):
    data = ValidatedImageDataset(paths, loader=str.upper, transform=len)
    assert data[0] == len(paths[0])


def to_tensor(image):
    return torch.from_numpy(np.asarray(image).copy()).permute(2, 0, 1)


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # a fork of a process with threads
def test_it_feeds_a_data_loader(paths, workers):
    data = ValidatedImageDataset(paths, to_tensor, labels=range(5), n_jobs=2)
    loader = torch.utils.data.DataLoader(data, batch_size=2, num_workers=workers)
    ((images, labels),) = list(loader)
    assert images.shape == (2, 3, 96, 128)
    assert labels.tolist() == [0, 2]
    np.testing.assert_array_equal(images[0].permute(1, 2, 0), PHOTO)


def test_it_can_be_pickled(paths):
    data = pickle.loads(pickle.dumps(ValidatedImageDataset(paths, to_tensor, labels=range(5))))
    assert (len(data), data[1][1]) == (2, 2)


def test_nothing_kept_warns(paths):
    with pytest.warns(UserWarning, match="none of the 1 images is kept.*dark"):
        data = ValidatedImageDataset(paths[1:2])
    assert len(data) == 0
    assert len(ValidatedImageDataset([])) == 0


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"labels": [1]}, ValueError, "5 images, 1 labels"),
        ({"min_score": 2}, ValueError, "min_score"),
        ({"min_score": "0.5"}, TypeError, "min_score"),
        ({"profile": "other"}, ValueError, "other"),
    ],
)
def test_bad_arguments_are_named(paths, arguments, error, message):
    with pytest.raises(error, match=message):
        ValidatedImageDataset(paths, **arguments)


def test_one_path_is_no_collection(paths):
    with pytest.raises(TypeError, match="collection"):
        ValidatedImageDataset(paths[0])
    with pytest.raises(TypeError, match=r"list\(paths\)"):
        ValidatedImageDataset(iter(paths))


# ------------------------------------------------------------------------------ wrap


class Items(torch.utils.data.Dataset):
    """A data set as one finds them: its items are made on demand."""

    def __init__(self, make):
        self.make = make

    def __len__(self):
        return 3

    def __getitem__(self, position):
        return self.make((PHOTO, BLACK, PHOTO[:, ::-1])[position]), position


FORMS = {
    "PIL": Image.fromarray,
    "array": np.asarray,
    "uint8 tensor": to_tensor,
    "float tensor": lambda image: to_tensor(image) / 255,
    "float64 tensor": lambda image: to_tensor(image).double() / 255,
    "half tensor": lambda image: (to_tensor(image) / 255).half(),
    "bfloat16 tensor": lambda image: (to_tensor(image) / 255).bfloat16(),
    "gradient": lambda image: (to_tensor(image) / 255).requires_grad_(),
    "grey tensor": lambda image: to_tensor(image)[:1],
    "plane": lambda image: to_tensor(image)[1],
}


@pytest.mark.parametrize("form", FORMS)
def test_a_data_set_of_any_form_is_wrapped(form):
    whole = Items(FORMS[form])
    subset = ValidatedImageDataset.wrap(whole)
    assert (subset.indices, len(subset)) == ([0, 2], 2)
    assert subset.dropped["position"].tolist() == [1]
    assert subset.dropped["issues"].iloc[0][0] == "dark"
    image, label = subset[1]
    assert label == 2
    assert type(image) is type(whole[2][0])


@pytest.mark.parametrize(
    ("make", "image_of"),
    [
        (lambda item: item[0], None),
        (lambda item: {"image": item[0], "label": item[1]}, None),
        (lambda item: [item[0], item[1]], None),
        (lambda item: (item[1], item[0]), lambda item: item[1]),
    ],
)
def test_items_of_any_shape_are_wrapped(make, image_of):
    items = [make(item) for item in (Items(Image.fromarray)[position] for position in range(3))]
    subset = ValidatedImageDataset.wrap(items, image_of=image_of)
    assert subset.indices == [0, 2]
    assert subset[1] is items[2]


def test_many_items_are_judged_piece_by_piece():
    items = [PHOTO] * 300
    items[280] = BLACK
    subset = ValidatedImageDataset.wrap(items)
    assert subset.dropped["position"].tolist() == [280]
    assert subset.validation.index.tolist() == list(range(300))


def test_normalised_tensors_warn_instead_of_vanishing():
    items = [to_tensor(PHOTO) / 255 * 4 - 2]
    with pytest.warns(UserWarning, match=r"must lie in \[0, 1\]"):
        ValidatedImageDataset.wrap(items)


def test_an_item_that_cannot_be_had_is_left_out():
    class Damaged(Items):
        def __getitem__(self, position):
            if position == 1:
                raise OSError("file is truncated")
            return Image.fromarray(PHOTO), position

    subset = ValidatedImageDataset.wrap(Damaged(None))
    assert subset.indices == [0, 2]
    assert subset.dropped["position"].tolist() == [1]
    assert subset.dropped["reason"].tolist() == ["invalid: OSError: file is truncated"]
    assert subset.dropped["issues"].tolist() == [["invalid"]]
    with pytest.raises(ZeroDivisionError):  # a mistake of one's own is not hidden
        ValidatedImageDataset.wrap(Items(np.asarray), image_of=lambda item: 1 / 0)


def test_an_empty_data_set_is_wrapped():
    assert len(ValidatedImageDataset.wrap([])) == 0


def test_without_torch_the_extra_is_named():
    code = (
        "import sys, imagequality\n"
        "sys.modules['torch'] = None\n"
        "try:\n    import imagequality.torch\n"
        "except ImportError as error:\n    print(error)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "imagequality[torch]" in done.stdout
