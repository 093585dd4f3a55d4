"""The filter for Hugging Face's data sets."""

from __future__ import annotations

import importlib.util
import pickle
import subprocess
import sys

import numpy as np
import pytest
import skimage.data
from PIL import Image

from imagequality.huggingface import QualityFilter

PHOTO = skimage.data.astronaut()[:96, 160:288]
BLACK = np.zeros_like(PHOTO)


@pytest.mark.parametrize(
    ("image", "kept"),
    [
        (PHOTO, True),
        (Image.fromarray(PHOTO), True),
        (BLACK, False),
        (None, False),
        ({"bytes": b"broken", "path": None}, False),
        ({"bytes": None, "path": "missing.png"}, False),
    ],
)
def test_one_example(image, kept):
    keep = QualityFilter()
    assert keep({"image": image, "label": 1}) is kept
    assert keep({"image": [image], "label": [1]}) == [kept]
    assert keep(image) is kept  # with input_columns


def test_a_batch_of_one_shape_may_be_one_array():
    assert QualityFilter()({"image": np.stack([PHOTO, BLACK])}) == [True, False]
    assert QualityFilter()({"image": []}) == []
    grey = np.stack([PHOTO[..., 0], BLACK[..., 0], PHOTO[..., 1]])
    assert QualityFilter()({"image": grey}) == [True, False, True]
    assert QualityFilter()({"image": grey[0]}) is True


def test_a_batch_of_several_shapes_may_be_an_array_of_objects():
    images = np.empty(3, dtype=object)
    images[:] = [PHOTO, BLACK[:80], None]
    assert QualityFilter()({"image": images}) == [True, False, False]


@pytest.mark.parametrize("scale", [1, 255])
def test_tensors(scale):
    torch = pytest.importorskip("torch")
    tensors = [torch.from_numpy(image.copy()).permute(2, 0, 1) for image in (PHOTO, BLACK)]
    if scale != 1:
        tensors = [tensor.half() / scale for tensor in tensors]
    assert [QualityFilter()({"image": tensor}) for tensor in tensors] == [True, False]
    assert QualityFilter()({"image": tensors}) == [True, False]
    assert QualityFilter()({"image": torch.stack(tensors)}) == [True, False]
    assert QualityFilter()({"image": tensors[0][0]}) is True


@pytest.mark.parametrize("value", [3, object(), 1.5, [3]])
def test_what_is_no_image_is_a_type_error(value):
    with pytest.raises(TypeError, match=r"must hold a PIL image.*got"):
        QualityFilter()({"image": value})


def test_parameters():
    assert QualityFilter({"limits": {"dark": 0}}, "photo")({"photo": BLACK})
    assert QualityFilter(thresholds={"dark": 0, "badly_exposed": 0, "low_information": 0})(
        {"image": PHOTO}
    )
    assert not QualityFilter(min_side=97)({"image": PHOTO})
    assert not QualityFilter(min_score=1.0)({"image": PHOTO})


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"min_score": -1}, ValueError),
        ({"profile": "other"}, ValueError),
        ({"min_side": "3"}, TypeError),
    ],
)
def test_bad_arguments_fail_at_once(arguments, error):
    with pytest.raises(error):
        QualityFilter(**arguments)


def test_mistakes_in_use_are_named():
    with pytest.raises(KeyError, match=r"'image'.*'photo'"):
        QualityFilter()({"photo": PHOTO})
    with pytest.raises(TypeError, match="numpy"):
        QualityFilter()({"image": PHOTO.tolist()})


def test_it_can_be_pickled():
    keep = QualityFilter("segmentation", min_side=32)
    again = pickle.loads(pickle.dumps(keep))
    assert again == keep
    assert again({"image": PHOTO})


def test_the_package_is_not_needed_to_import_it():
    code = "import sys, imagequality.huggingface; print('datasets' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("options", [{}, {"batched": True}, {"batched": True, "batch_size": 2}])
@pytest.mark.parametrize("crop", [96, 80], ids=["one size", "two sizes"])
@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_it_filters_a_data_set(options, crop, mode):
    datasets = pytest.importorskip("datasets")
    arrays = (PHOTO, BLACK, PHOTO[:crop])
    images = [Image.fromarray(image).convert(mode) for image in arrays]
    data = datasets.Dataset.from_dict({"image": images, "label": [0, 1, 2]}).cast_column(
        "image", datasets.Image()
    )
    forms = {
        "decoded": data,
        "encoded": data.cast_column("image", datasets.Image(decode=False)),
        "arrays": data.with_format("numpy"),
    }
    if importlib.util.find_spec("torch"):
        forms["tensors"] = data.with_format("torch")
    for name, form in forms.items():
        kept = form.filter(QualityFilter(), load_from_cache_file=False, **options)
        assert list(kept["label"]) == [0, 2], name
    by_column = data.filter(
        QualityFilter(), input_columns="image", load_from_cache_file=False, **options
    )
    assert list(by_column["label"]) == [0, 2]
