"""Vectors from a network that the user brings, against the same computation in plain NumPy."""

from __future__ import annotations

import copy
import os
import pickle
import sys
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, Event

import naive
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from sklearn.base import BaseEstimator, clone
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, Normalizer
from sklearn.utils import estimator_checks

from imagequality import embedders
from imagequality.embedders import Embedder, OnnxEmbedder, TorchEmbedder
from imagequality.images import UnreadableImageError

MEAN, STD = (0.5, 0.4, 0.3), (0.2, 0.3, 0.4)
SIZE = (12, 10)
N_FILTERS = 4
CLOSE = {"rtol": 1e-4, "atol": 1e-5}  # float32 sums in another order

KERNELS = np.random.default_rng(0).normal(size=(N_FILTERS, 3, 3, 3)).astype(np.float32)
BIASES = np.random.default_rng(1).normal(size=N_FILTERS).astype(np.float32)


def images_of(*sizes, seed=0):
    rng = np.random.default_rng(seed)
    return [rng.integers(0, 256, (*size, 3), dtype=np.uint8) for size in sizes]


@pytest.fixture(scope="module")
def images():
    """Seven images: of the network's size, smaller, larger, wide, tall, one pixel, grey."""
    grey = np.repeat(images_of((20, 20))[0][..., :1], 3, axis=2)
    return [*images_of((12, 10), (5, 4), (60, 50), (6, 80), (80, 6), (1, 1)), grey]


def expected(images, mean=MEAN, std=STD, size=SIZE):
    """What the small network gives: stretch, normalise, convolve, rectify, average."""
    vectors = []
    for image in images:
        stretched = embedders._stretched(image, size)
        values = (stretched / 255.0 - np.array(mean)) / np.array(std)
        vectors.append(naive.rectified_convolution_means(values, KERNELS, BIASES))
    return np.array(vectors)


# ---------------------------------------------------------------------------- without a network


def test_any_transformer_is_an_embedder():
    assert isinstance(FunctionTransformer(), Embedder)
    assert isinstance(OnnxEmbedder("model.onnx"), Embedder)
    assert isinstance(TorchEmbedder(None), Embedder)
    assert not isinstance(BaseEstimator(), Embedder)


# The checks of tests/test_common.py that never look at X. The default-constructible one skips
# itself, since a path and a module have no default.
IMAGE_FREE = [
    name
    for name in (
        "check_estimator_cloneable",
        "check_estimator_repr",
        "check_estimator_tags_renamed",
        "check_valid_tag_types",
        "check_no_attributes_set_in_init",
        "check_get_params_invariance",
        "check_set_params",
        "check_do_not_raise_errors_in_init_or_set_params",
        "check_mixin_order",
    )
    if hasattr(estimator_checks, name)
]


@pytest.mark.parametrize("check", IMAGE_FREE)
@pytest.mark.parametrize("estimator", [OnnxEmbedder("model.onnx"), TorchEmbedder(None)], ids=repr)
def test_scikit_learn_check(estimator, check):
    getattr(estimator_checks, check)(type(estimator).__name__, estimator)


@pytest.mark.parametrize("method", ["fit", "transform"])
@pytest.mark.parametrize(
    ("embedder", "package", "extra"),
    [
        (OnnxEmbedder("model.onnx"), "onnxruntime", r"imagequality\[onnx\]"),
        (TorchEmbedder(None), "torch", r"imagequality\[torch\]"),
    ],
    ids=["onnx", "torch"],
)
def test_missing_package_names_the_extra(monkeypatch, images, embedder, package, extra, method):
    monkeypatch.setitem(sys.modules, package, None)  # what Python does on a blocked import
    with pytest.raises(ImportError, match=extra):
        getattr(embedder, method)(images)


SIDES = st.integers(1, 40)


@given(SIDES, SIDES, SIDES, SIDES, st.integers(0, 255))
def test_stretching_keeps_a_flat_image_flat(height, width, new_height, new_width, level):
    flat = np.full((height, width, 3), level, np.uint8)
    stretched = embedders._stretched(flat, (new_height, new_width))
    assert stretched.shape == (new_height, new_width, 3)
    assert (stretched == level).all()


@given(SIDES, SIDES, st.integers(1, 4), st.integers(1, 4), st.integers(0, 2**32 - 1))
def test_shrinking_by_whole_factors_averages_blocks(height, width, rows, columns, seed):
    (image,) = images_of((height * rows, width * columns), seed=seed)
    blocks = image.reshape(height, rows, width, columns, 3).mean(axis=(1, 3))
    # OpenCV rounds halves either way.
    assert np.abs(embedders._stretched(image, (height, width)) - blocks).max() <= 0.5 + 1e-4


def test_shrinking_averages_also_where_the_other_side_grows():
    columns = np.zeros((8, 64, 3), np.uint8)
    columns[:, ::2] = 255
    stretched = embedders._stretched(columns, (16, 8))
    assert np.ptp(stretched) == 0  # sampled instead of averaged it would be striped
    assert abs(int(stretched[0, 0, 0]) - 127.5) <= 0.5


# ------------------------------------------------------------------------------------------ ONNX


def save_network(path, shape=("n", 3, "h", "w"), dtype="FLOAT"):
    """Write a model: convolution, rectifier, mean; outputs 'vector', 'map', 'tokens', 'deep'."""
    onnx = pytest.importorskip("onnx")
    helper, kind = onnx.helper, getattr(onnx.TensorProto, dtype)
    channels_last = shape[3] == 3
    weight_type = np.float16 if dtype == "FLOAT16" else np.float32
    float_kind = helper.np_dtype_to_tensor_dtype(np.dtype(weight_type))
    to_first = {"perm": [0, 3, 1, 2]} if channels_last else {"perm": [0, 1, 2, 3]}
    to_last = {"perm": [0, 2, 3, 1]} if channels_last else {"perm": [0, 1, 2, 3]}
    nodes = [
        helper.make_node("Cast", ["image"], ["float"], to=float_kind),
        helper.make_node("Transpose", ["float"], ["first"], **to_first),
        helper.make_node("Conv", ["first", "kernels", "biases"], ["convolved"]),
        helper.make_node("Relu", ["convolved"], ["rectified"]),
        helper.make_node("Transpose", ["rectified"], ["map"], **to_last),
        helper.make_node("GlobalAveragePool", ["rectified"], ["pooled"]),
        helper.make_node("Flatten", ["pooled"], ["vector"]),
        helper.make_node("Reshape", ["rectified", "three_axes"], ["flat"]),
        helper.make_node("Transpose", ["flat"], ["tokens"], perm=[0, 2, 1]),
        helper.make_node("Unsqueeze", ["rectified", "first_axis"], ["deep"]),
        helper.make_node("ReduceMean", ["vector"], ["one"], axes=[0], keepdims=1),
    ]
    initialisers = [
        onnx.numpy_helper.from_array(KERNELS.astype(weight_type), "kernels"),
        onnx.numpy_helper.from_array(BIASES.astype(weight_type), "biases"),
        onnx.numpy_helper.from_array(np.array([0, N_FILTERS, -1]), "three_axes"),
        onnx.numpy_helper.from_array(np.array([1]), "first_axis"),
    ]
    outputs = [
        helper.make_tensor_value_info(name, float_kind, None)
        for name in ("vector", "map", "tokens", "deep", "one")
    ]
    inputs = [helper.make_tensor_value_info("image", kind, shape)]
    graph = helper.make_graph(nodes, "small", inputs, outputs, initialisers)
    model = helper.make_model(graph, ir_version=8, opset_imports=[helper.make_opsetid("", 17)])
    onnx.save(model, path)
    return str(path)


@pytest.fixture
def runtime():
    return pytest.importorskip("onnxruntime")


@pytest.fixture
def network_path(runtime, tmp_path):
    return save_network(tmp_path / "model.onnx")


def onnx_embedder(path, **parameters):
    return OnnxEmbedder(path, **{"size": SIZE, "mean": MEAN, "std": STD, **parameters})


@pytest.mark.parametrize(
    "shape",
    [
        ("n", 3, "h", "w"),
        (None, 3, 12, 10),
        (1, 3, 12, 10),
        (3, 3, 12, "w"),
        ("n", "h", "w", 3),
        (1, 12, 10, 3),
        (5, 12, 10, 3),
        ("n", "c", "h", "w"),  # open: as PyTorch exports
        (None, 12, None, 3),
    ],
    ids=str,
)
@pytest.mark.parametrize("output", [None, "vector", "map", "tokens"])
def test_onnx_is_the_same_computation(runtime, tmp_path, images, shape, output):
    path = save_network(tmp_path / "model.onnx", shape)
    vectors = onnx_embedder(path, output=output).transform(images)
    assert vectors.shape == (len(images), N_FILTERS)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(vectors, expected(images), **CLOSE)


def test_onnx_size_from_the_model(runtime, tmp_path, images):
    path = save_network(tmp_path / "model.onnx", ("n", 3, 12, 10))
    vectors = OnnxEmbedder(path, mean=MEAN, std=STD).fit_transform(images)
    np.testing.assert_allclose(vectors, expected(images), **CLOSE)


def test_onnx_one_number_is_a_square(network_path, images):
    vectors = onnx_embedder(network_path, size=9).transform(images)
    np.testing.assert_allclose(vectors, expected(images, size=(9, 9)), **CLOSE)


@pytest.mark.parametrize(("dtype", "tolerance"), [("FLOAT16", 1e-2), ("DOUBLE", 1e-4)])
def test_onnx_other_floats(runtime, tmp_path, images, dtype, tolerance):
    path = save_network(tmp_path / "model.onnx", dtype=dtype)
    vectors = onnx_embedder(path).transform(images)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(vectors, expected(images), rtol=tolerance, atol=tolerance)


def test_onnx_uint8_gets_pixels_as_they_are(runtime, tmp_path, images):
    path = save_network(tmp_path / "model.onnx", dtype="UINT8")
    raw = expected(images, mean=(0, 0, 0), std=(1 / 255,) * 3)
    np.testing.assert_allclose(onnx_embedder(path).transform(images), raw, rtol=1e-4, atol=1e-2)


@settings(max_examples=30)
@given(st.integers(1, 9), st.lists(st.tuples(SIDES, SIDES), min_size=1, max_size=8), st.data())
def test_onnx_vector_depends_on_its_own_image_only(shared_network_path, batch_size, sizes, data):
    images = images_of(*sizes)
    order = data.draw(st.permutations(range(len(images))))
    alone = [onnx_embedder(shared_network_path).transform([images[i]])[0] for i in order]
    embedder = onnx_embedder(shared_network_path, batch_size=batch_size)
    together = embedder.transform([images[i] for i in order])
    np.testing.assert_allclose(together, alone, **CLOSE)


@pytest.fixture(scope="module")
def shared_network_path(tmp_path_factory):
    pytest.importorskip("onnxruntime")
    return save_network(tmp_path_factory.mktemp("network") / "model.onnx")


def test_onnx_no_images(network_path):
    assert onnx_embedder(network_path).transform([]).shape == (0, N_FILTERS)


def test_onnx_input_forms_agree(network_path, tmp_path, images):
    pixels = images[0]
    Image.fromarray(pixels).save(tmp_path / "image.png")
    forms = [pixels, str(tmp_path / "image.png"), Image.fromarray(pixels), pixels[:, ::-1][:, ::-1]]
    vectors = onnx_embedder(network_path).transform(forms)
    np.testing.assert_allclose(vectors, np.repeat(vectors[:1], len(forms), axis=0), **CLOSE)
    stacked = onnx_embedder(network_path).transform(np.stack([pixels, pixels]))
    np.testing.assert_allclose(stacked, vectors[:2], **CLOSE)


def test_onnx_unreadable_image_is_named_by_position(network_path, images):
    with pytest.raises(UnreadableImageError, match="position 7: not an image"):
        onnx_embedder(network_path, batch_size=3).transform([*images, b"no image"])


def test_onnx_one_image_is_refused(network_path, images):
    with pytest.raises(ValueError, match=r"pass \[image\]"):
        onnx_embedder(network_path).transform(images[0])


def test_onnx_leaves_the_images_alone(network_path, images):
    before = copy.deepcopy(images)
    onnx_embedder(network_path).transform(images)
    for image, old in zip(images, before, strict=True):
        np.testing.assert_array_equal(image, old)


@pytest.mark.parametrize("copied", [clone, copy.deepcopy, lambda e: pickle.loads(pickle.dumps(e))])
def test_onnx_copies_work(network_path, images, copied):
    embedder = onnx_embedder(network_path, output="map", batch_size=2)
    vectors = embedder.fit_transform(images)
    twin = copied(embedder)
    assert twin.get_params() == embedder.get_params()
    assert len(pickle.dumps(embedder)) < 1000  # the path, not the model
    np.testing.assert_array_equal(twin.transform(images), vectors)
    np.testing.assert_array_equal(embedder.transform(images), vectors)


def test_onnx_threads_load_the_model_once(network_path, images, monkeypatch):
    loads = []
    load = embedders._load_onnx
    monkeypatch.setattr(embedders, "_load_onnx", lambda *a: loads.append(a) or load(*a))
    embedder = onnx_embedder(network_path)
    start = Barrier(8)

    def transform(_):
        start.wait()
        return embedder.transform(images)

    with ThreadPoolExecutor(8) as pool:
        vectors = list(pool.map(transform, range(8)))
    assert len(loads) == 1
    for each in vectors:
        np.testing.assert_array_equal(each, vectors[0])


def test_onnx_follows_its_parameters_and_its_file(runtime, tmp_path, images):
    path = tmp_path / "model.onnx"
    embedder = onnx_embedder(save_network(path, ("n", 3, "h", "w")))
    first = embedder.transform(images)
    save_network(path, ("n", 3, "h", "w"), dtype="UINT8")
    os.utime(path, ns=(1, 1))
    second = embedder.transform(images)
    assert not np.allclose(first, second)
    other = save_network(tmp_path / "other.onnx", ("n", 3, "h", "w"))
    np.testing.assert_array_equal(embedder.set_params(path=other).transform(images), first)


def test_onnx_in_a_pipeline(network_path, images):
    vectors = make_pipeline(onnx_embedder(network_path), Normalizer()).fit_transform(images)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, rtol=1e-5)


@pytest.mark.filterwarnings("ignore:Can't test estimator")  # the tags say so: not with 2-D X
def test_onnx_check_estimator_as_far_as_the_tags_allow(network_path):
    results = estimator_checks.check_estimator(
        onnx_embedder(network_path), on_skip=None, on_fail=None
    )
    failed = {r["check_name"]: r["exception"] for r in results if r["status"] == "failed"}
    assert failed == {}
    assert any(r["status"] == "passed" for r in results)


@pytest.mark.parametrize("method", ["fit", "transform"])
@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"path": "no/such/model.onnx"}, "path must be an ONNX model file.*no such file"),
        ({"path": 3}, "'path' parameter"),
        ({"output": "nothing"}, "output must be one of .* vector, map, tokens"),
        ({"size": None}, "size must be given"),
        ({"size": 0}, "'size' parameter"),
        ({"size": (12, 10, 3)}, "size must be a positive int"),
        ({"size": (12, 0)}, "size must be a positive int"),
        ({"size": (12.0, 10.0)}, "size must be a positive int"),
        ({"mean": (0.5, 0.5)}, "mean must be three finite numbers"),
        ({"mean": "grey"}, "'mean' parameter"),
        ({"mean": ("r", "g", "b")}, "mean must be three finite numbers"),
        ({"std": (1, 1, float("nan"))}, "std must be three finite numbers"),
        ({"std": (1, 1, 0)}, "std must be positive"),
        ({"batch_size": 0}, "'batch_size' parameter"),
    ],
    ids=str,
)
def test_onnx_wrong_parameter(network_path, images, method, parameters, message):
    embedder = onnx_embedder(network_path).set_params(**parameters)
    with pytest.raises(ValueError, match=message):
        getattr(embedder, method)(images)


@pytest.mark.parametrize("content", [b"", b"no model at all", b"\x08\x08"], ids=repr)
def test_onnx_file_that_is_no_model(runtime, tmp_path, images, content):
    path = tmp_path / "model.onnx"
    path.write_bytes(content)
    with pytest.raises(ValueError, match="path must be an ONNX model that onnxruntime can load"):
        onnx_embedder(path).transform(images)


@pytest.mark.parametrize(
    ("shape", "parameters", "message"),
    [
        (("n", 3, 12, 10), {"size": 12}, r"size must be that of the model's input.*\(12, 10\)"),
        (("n", 3, 12, "w"), {"size": None}, "size must be given"),
        ((2, 3, "h", 10), {"size": (12, 11)}, r"\(None, 10\)"),
    ],
    ids=str,
)
def test_onnx_size_must_fit_the_model(runtime, tmp_path, images, shape, parameters, message):
    path = save_network(tmp_path / "model.onnx", shape)
    with pytest.raises(ValueError, match=message):
        onnx_embedder(path, **parameters).fit(images)


def save_identity(path, shape, dtype="FLOAT", n_inputs=1):
    onnx = pytest.importorskip("onnx")
    kind = getattr(onnx.TensorProto, dtype)
    names = [f"image{number}" for number in range(n_inputs)]
    graph = onnx.helper.make_graph(
        [onnx.helper.make_node("Identity", [names[0]], ["copy"])],
        "identity",
        [onnx.helper.make_tensor_value_info(name, kind, shape) for name in names],
        [onnx.helper.make_tensor_value_info("copy", kind, None)],
    )
    opsets = [onnx.helper.make_opsetid("", 17)]
    onnx.save(onnx.helper.make_model(graph, ir_version=8, opset_imports=opsets), path)
    return str(path)


@pytest.mark.parametrize(
    ("shape", "dtype", "n_inputs", "message"),
    [
        (("n", 5), "FLOAT", 1, "one input, a float or uint8 tensor"),
        (("n", 3, "h", "w"), "INT64", 1, "one input, a float or uint8 tensor"),
        (("n", 3, "h", "w"), "FLOAT", 2, "one input, a float or uint8 tensor"),
        (("n", 1, 12, 10), "FLOAT", 1, "three channels"),
    ],
    ids=str,
)
def test_onnx_model_that_takes_no_rgb(runtime, tmp_path, shape, dtype, n_inputs, message):
    path = save_identity(tmp_path / "model.onnx", shape, dtype, n_inputs)
    with pytest.raises(ValueError, match=f"path must be a model .*{message}"):
        onnx_embedder(path).fit([])


def test_onnx_mixed_up_batch(network_path, images):
    embedder = onnx_embedder(network_path, output="one")
    with pytest.raises(ValueError, match=r"one vector for each of 7 images.*batch_size=1"):
        embedder.transform(images)
    vectors = embedder.set_params(batch_size=1).transform(images)
    np.testing.assert_allclose(vectors, expected(images), **CLOSE)


def test_onnx_output_with_too_many_axes(network_path, images):
    with pytest.raises(ValueError, match="path and output must give"):
        onnx_embedder(network_path, output="deep").transform(images)


def test_onnx_model_that_fails(network_path, images):
    with pytest.raises(ValueError, match=r"the model of path fails.*\(7, 3, 2, 2\)"):
        onnx_embedder(network_path, size=2).transform(images)  # smaller than the kernel


# ----------------------------------------------------------------------------------------- torch


@pytest.fixture
def torch():
    return pytest.importorskip("torch")


@pytest.fixture
def convolution(torch):
    """Convolution and rectifier with the known weights: (n, 3, h, w) → (n, c, h − 2, w − 2)."""
    layer = torch.nn.Conv2d(3, N_FILTERS, 3)
    with torch.no_grad():
        layer.weight.copy_(torch.from_numpy(KERNELS))
        layer.bias.copy_(torch.from_numpy(BIASES))
    return torch.nn.Sequential(layer, torch.nn.ReLU())


def torch_embedder(module, **parameters):
    return TorchEmbedder(module, **{"size": SIZE, "mean": MEAN, "std": STD, **parameters})


def returning(torch, module, function):
    """Wrap a module: what it returns goes through a function."""

    class Wrapped(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.module = module

        def forward(self, tensor):
            return function(self.module(tensor))

    return Wrapped()


@pytest.mark.parametrize(
    "function",
    [
        lambda features: features,
        lambda features: features.mean(dim=(2, 3)),
        lambda features: features.mean(dim=(2, 3), keepdim=True),
        lambda features: features.flatten(2).transpose(1, 2),
        lambda features: (features, "more"),
        lambda features: [None, features],
        lambda features: {"loss": None, "features": features, "other": features * 2},
    ],
    ids=["map", "vector", "one position", "tokens", "tuple", "list", "mapping"],
)
def test_torch_is_the_same_computation(torch, convolution, images, function):
    vectors = torch_embedder(returning(torch, convolution, function)).fit_transform(images)
    assert vectors.shape == (len(images), N_FILTERS)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(vectors, expected(images), **CLOSE)


@pytest.mark.parametrize("name", ["float64", "bfloat16"])
def test_torch_weights_of_another_type(torch, convolution, images, name):
    vectors = torch_embedder(convolution.to(getattr(torch, name))).transform(images)
    tolerance = 1e-4 if name == "float64" else 0.05
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(vectors, expected(images), rtol=tolerance, atol=tolerance)


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 9), st.lists(st.tuples(SIDES, SIDES), min_size=1, max_size=8))
def test_torch_vector_depends_on_its_own_image_only(batch_size, sizes):
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    # In training mode batch normalisation would mix the images, and dropout be random.
    module = torch.nn.Sequential(
        torch.nn.Conv2d(3, 5, 3), torch.nn.BatchNorm2d(5), torch.nn.Dropout(0.5)
    )
    images = images_of(*sizes)
    alone = [torch_embedder(module).transform([image])[0] for image in images]
    together = torch_embedder(module, batch_size=batch_size).transform(images)
    np.testing.assert_allclose(together, alone, **CLOSE)


def test_torch_no_images(convolution):
    assert torch_embedder(convolution).transform([]).shape == (0, N_FILTERS)


def test_torch_leaves_the_module_as_it_was(torch, convolution, images):
    module = torch.nn.Sequential(
        convolution, torch.nn.BatchNorm2d(N_FILTERS), torch.nn.Dropout(), torch.nn.BatchNorm2d(4)
    )
    module.train()
    module[3].eval()  # frozen, as in fine-tuning
    modes = [part.training for part in module.modules()]
    state = copy.deepcopy(module.state_dict())
    torch_embedder(module).transform(images)
    assert [part.training for part in module.modules()] == modes
    assert all(torch.equal(value, state[name]) for name, value in module.state_dict().items())
    assert torch.is_grad_enabled()


def test_torch_module_that_does_more_in_train_than_set_a_flag(torch, images):
    class Merges(torch.nn.Identity):
        """Like adapters that are merged into the weights for evaluation."""

        merged = False

        def train(self, mode=True):
            self.merged = not mode
            return super().train(mode)

    module = Merges().train()
    torch_embedder(module).transform(images)
    assert module.training
    assert not module.merged


def test_torch_restores_the_mode_after_a_failure(torch, convolution, images):
    convolution.train()
    with pytest.raises(RuntimeError):
        torch_embedder(convolution, size=2).transform(images)  # smaller than the kernel
    assert convolution.training


def test_torch_module_that_keeps_a_tensor_can_still_be_trained(torch, images):
    class Keeps(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = torch.nn.Parameter(torch.ones(3))
            self.table = None

        def forward(self, tensor):
            if self.table is None:
                self.table = torch.arange(3.0)
            return tensor.mean(dim=(2, 3)) * (self.weight * self.table)

    module = Keeps()
    torch_embedder(module).transform(images)
    module(torch.ones(1, 3, 4, 4)).sum().backward()
    assert module.weight.grad.tolist() == [0, 1, 2]


def test_torch_threads_do_not_undo_each_others_mode(torch, images):
    second_is_in, first_is_done = Event(), Event()
    modes = []

    class Meets(torch.nn.Module):
        """Lets the second thread in while the first runs, and the first finish meanwhile."""

        def forward(self, tensor):
            if not modes:
                modes.append(self.training)
                second_is_in.wait(0.2)  # for nothing, if only one thread may be in
            else:
                second_is_in.set()
                first_is_done.wait(10)
                modes.append(self.training)
            return tensor

    module = Meets().train()

    def transform(_):
        torch_embedder(module).transform(images)
        first_is_done.set()

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(transform, range(2)))
    assert modes == [False, False]
    assert module.training


@pytest.mark.parametrize("copied", [clone, copy.deepcopy, lambda e: pickle.loads(pickle.dumps(e))])
def test_torch_copies_work(convolution, images, copied):
    embedder = torch_embedder(convolution, batch_size=2)
    vectors = embedder.fit_transform(images)
    np.testing.assert_array_equal(copied(embedder).transform(images), vectors)


@pytest.mark.filterwarnings("ignore:Can't test estimator")  # the tags say so: not with 2-D X
def test_torch_check_estimator_as_far_as_the_tags_allow(convolution):
    results = estimator_checks.check_estimator(
        torch_embedder(convolution), on_skip=None, on_fail=None
    )
    failed = {r["check_name"]: r["exception"] for r in results if r["status"] == "failed"}
    assert failed == {}
    assert any(r["status"] == "passed" for r in results)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"module": "resnet18"}, "module must be a torch.nn.Module, got str"),
        ({"device": "abacus"}, "device must be one of torch's, got 'abacus'"),
        ({"device": None}, "device must be one of torch's, got None"),
        ({"size": None}, "'size' parameter"),
        ({"std": (0, 1, 1)}, "std must be positive"),
    ],
    ids=str,
)
def test_torch_wrong_parameter(convolution, images, parameters, message):
    with pytest.raises(ValueError, match=message):
        torch_embedder(convolution).set_params(**parameters).fit(images)


def test_torch_module_that_returns_no_tensor(torch, convolution, images):
    with pytest.raises(ValueError, match="module must return a tensor"):
        torch_embedder(returning(torch, convolution, lambda features: "text")).transform(images)


def test_both_agree(runtime, torch, network_path, convolution, images):
    np.testing.assert_allclose(
        onnx_embedder(network_path).transform(images),
        torch_embedder(convolution).transform(images),
        **CLOSE,
    )
