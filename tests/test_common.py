"""Every detector and every selector, ours, found by itself, keeps the contract; and the checks
that say so can fail."""

from __future__ import annotations

import inspect
import re

import numpy as np
import pytest
from sklearn.base import is_classifier
from sklearn.utils import estimator_checks, get_tags

import imagequality as iq
from imagequality.testing import (
    all_detectors,
    all_selectors,
    check_detector,
    check_threshold_selector,
)

DETECTORS = [cls() for cls in all_detectors()] + [
    iq.LightDetector(percentile=75),
    iq.LightDetector(method="cleanvision"),
    iq.LightDetector(method="fastdup"),
    iq.DarkDetector(method="cleanvision"),
    iq.DarkDetector(method="fastdup"),
    iq.BlurDetector(method="cleanvision"),
    iq.BlurDetector(method="fastdup"),
    iq.LowInformationDetector(method="cleanvision"),
    iq.CompressionDetector(method="jpeg_quality"),
    iq.ResolutionDetector(min_side=24, min_pixels=1000),
    iq.OddSizeDetector(method="cleanvision"),
    iq.NearDuplicateDetector(method="identical", hash="phash"),
    iq.NearDuplicateDetector(method="complete_linkage", hash="dhash_256", views="all"),
    iq.NearDuplicateDetector(method="hdbscan", hash="colorhash"),
    iq.SemanticDuplicateDetector(method="fastdup", n_components=8),
    iq.SemanticDuplicateDetector(views="mirror", distance=0.01, keep="first"),
    iq.BlurDetector(threshold=iq.OtsuThreshold()),
    iq.DarkDetector(threshold=0.4),
]
SELECTORS = [cls() for cls in all_selectors()] + [
    iq.OtsuThreshold(bins=16),
    iq.MaxEntropyThreshold(bins=1000),
    iq.GammaMixtureThreshold(cutoff="intersection"),
    iq.QuantileThreshold(0.5),
    iq.IQRThreshold(1.5),
    iq.AutoThreshold(0.3, 0.5, max_flag_rate=0.2),
    iq.GatedThreshold(iq.OtsuThreshold()),
    iq.GatedThreshold(iq.IQRThreshold(), gate=iq.AutoThreshold(cap=0.5)),
    iq.SupervisedThreshold("balanced_accuracy", fallback=iq.LiThreshold()),
]
OTHERS = [
    iq.QualityPipeline(),
    iq.Measurer(),
    iq.DropFlagged(),
    iq.DropDuplicates(),
    iq.ImpactStudy(),
]

# scikit-learn's own checks that never look at X, or hand it something that must be refused.
# The oldest supported release lacks some of them.
IMAGE_FREE = [
    name
    for name in (
        "check_estimator_cloneable",
        "check_estimator_repr",
        "check_estimator_tags_renamed",
        "check_valid_tag_types",
        "check_no_attributes_set_in_init",
        "check_parameters_default_constructible",
        "check_get_params_invariance",
        "check_set_params",
        "check_do_not_raise_errors_in_init_or_set_params",
        "check_mixin_order",
    )
    if hasattr(estimator_checks, name)
]


def test_discovery_finds_every_exported_class():
    exported = {
        name
        for name in iq.__all__
        if inspect.isclass(getattr(iq, name))
        and issubclass(getattr(iq, name), (iq.IssueDetector, iq.ThresholdSelector))
    } - {"IssueDetector", "ThresholdSelector"}
    assert {cls.__name__ for cls in all_detectors() + all_selectors()} == exported


@pytest.mark.parametrize("detector", DETECTORS, ids=repr)
def test_detector_keeps_the_contract(detector):
    check_detector(detector)


@pytest.mark.parametrize("selector", SELECTORS, ids=repr)
def test_selector_keeps_the_contract(selector):
    check_threshold_selector(selector)


@pytest.mark.parametrize("cls", all_detectors() + all_selectors())
def test_defaults_are_those_documented(cls):
    parameters = inspect.getdoc(cls).partition("Parameters\n")[2].partition("Attributes\n")[0]
    documented = dict(re.findall(r"^(\w+) : .*, default=(.+)$", parameters, re.MULTILINE))
    instance = cls()
    assert documented.keys() == instance.get_params(deep=False).keys()
    for name, value in documented.items():
        assert getattr(instance, name) == eval(value), name


@pytest.mark.parametrize("check", IMAGE_FREE)
@pytest.mark.parametrize("estimator", DETECTORS + SELECTORS + OTHERS, ids=repr)
def test_scikit_learn_check(estimator, check):
    if check == "check_parameters_default_constructible":
        estimator = type(estimator)()
    getattr(estimator_checks, check)(type(estimator).__name__, estimator)


@pytest.mark.parametrize("method", ["fit", "fit_predict", "fit_transform", "score", "fit_resample"])
@pytest.mark.parametrize("estimator", DETECTORS + SELECTORS + OTHERS, ids=repr)
def test_y_is_the_second_argument(estimator, method):
    if hasattr(estimator, method):
        assert list(inspect.signature(getattr(estimator, method)).parameters)[1] == "y"


@pytest.mark.filterwarnings("ignore:Can't test estimator")  # the tags say so: not with 2-D X
@pytest.mark.parametrize("estimator", [*DETECTORS, *SELECTORS, *OTHERS], ids=repr)
def test_check_estimator_as_far_as_the_tags_allow(estimator):
    results = estimator_checks.check_estimator(estimator, on_skip=None, on_fail=None)
    failed = {r["check_name"]: r["exception"] for r in results if r["status"] == "failed"}
    assert failed == {}
    assert any(r["status"] == "passed" for r in results)


@pytest.mark.parametrize("estimator", [*DETECTORS, iq.QualityPipeline()], ids=repr)
def test_tags(estimator):
    tags = get_tags(estimator)
    assert is_classifier(estimator)
    assert not tags.input_tags.two_d_array
    assert tags.input_tags.string
    assert not tags.target_tags.required


@pytest.mark.parametrize("selector", SELECTORS, ids=repr)
def test_tags_of_a_selector(selector):
    tags = get_tags(selector)
    assert tags.input_tags.one_d_array
    assert not tags.input_tags.two_d_array
    assert tags.input_tags.allow_nan
    assert not tags.target_tags.required


# ------------------------------------------------------------------- the checks can fail


class FlagsConstants(iq.ThresholdSelector):
    def _threshold(self, scores):
        return float(scores.max()) + 1.0


class Reseeds(iq.ThresholdSelector):
    def _select(self, scores):
        np.random.seed(0)  # noqa: NPY002
        return float(np.median(scores))


class DrawsAtRandom(iq.ThresholdSelector):
    def _select(self, scores):
        return float(np.random.default_rng().choice(scores))


class DependsOnOrder(iq.ThresholdSelector):
    def _select(self, scores):
        return float(scores[0])


class NotFinite(iq.ThresholdSelector):
    def _select(self, scores):
        return float("nan")


class ChangesItsInput(iq.ThresholdSelector):
    def fit(self, scores, y=None):
        np.asarray(scores).sort()
        return super().fit(scores)

    def _select(self, scores):
        return float(scores.mean())


class FalselyScaleEquivariant(iq.ThresholdSelector):
    scale_equivariant = True

    def _select(self, scores):
        return float(np.median(scores)) ** 2


class FalselyReplicationInvariant(iq.ThresholdSelector):
    replication_invariant = True

    def _select(self, scores):
        return float(np.median(scores) - scores.std() / scores.size)


class FlagsTheThresholdToo(iq.ThresholdSelector):
    def _select(self, scores):
        return float(np.median(scores))

    def predict(self, scores):
        return (np.asarray(scores) <= self.threshold_).astype(int)


class OverwritesItsParameter(iq.ThresholdSelector):
    def __init__(self, share=0.1):
        self.share = share

    def _select(self, scores):
        self.share = 0.2
        return float(np.quantile(scores, self.share))


@pytest.mark.parametrize(
    ("selector", "complaint"),
    [
        (FlagsConstants(), "constant_scores"),
        (Reseeds(), "global random state"),
        (DrawsAtRandom(), "two fits"),
        (DependsOnOrder(), "order"),
        (NotFinite(), "finite"),
        (ChangesItsInput(), "leaves_input_alone"),
        (FalselyScaleEquivariant(), "scale_equivariant"),
        (FalselyReplicationInvariant(), "replication_invariant"),
        (FlagsTheThresholdToo(), "strictly below"),
        (OverwritesItsParameter(), "changed the parameter 'share'"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, iq.ThresholdSelector) else "",
)
def test_selector_check_finds_the_fault(selector, complaint):
    with pytest.raises(AssertionError, match=complaint):
        check_threshold_selector(selector)


class Sound(iq.IssueDetector):
    issue = "sound"
    columns = ("value_perc_99",)

    def _score(self, table):
        return table["value_perc_99"].to_numpy()


class FitOverwritesAParameter(Sound):
    def fit(self, X, y=None):
        self.threshold = 0.5
        return super().fit(X)


class ScoreDependsOnTheBatch(Sound):
    def _score(self, table):
        scores = table["value_perc_99"].to_numpy()
        return scores / np.nanmax(np.r_[scores, 1e-9])


class ScoreLearns(Sound):
    def _score(self, table):
        if hasattr(self, "threshold_"):
            self.threshold_ += 1e-6
        return table["value_perc_99"].to_numpy()


class ScoreOutOfRange(Sound):
    def _score(self, table):
        return table["value_perc_99"].to_numpy() * 2


class OneScoreForAll(Sound):
    def _score(self, table):
        return 0.5


class UnreadableIsFine(Sound):
    def _score(self, table):
        return np.nan_to_num(table["value_perc_99"].to_numpy(), nan=1.0)


class ChangesTheTable(Sound):
    def _score(self, table):
        return table["value_perc_99"].to_numpy()

    def _plain(self, table):
        table["value_perc_99"] = table["value_perc_99"].clip(0, 0.5)
        return table


class NoIssue(Sound):
    issue = ""


class LooksAtTheForm(Sound):
    columns = ("value_perc_99", "mode")

    def _score(self, table):
        return table["value_perc_99"].to_numpy() * np.where(table["mode"] == "uint8", 1.0, 0.5)


class FlagsAtTheThreshold(Sound):
    def _flags(self, scores):
        return (scores <= self.threshold_).astype(np.int64)


class CannotBePickled(Sound):
    def _learn(self, table):
        self.function_ = lambda: None


def test_sound_detector_passes():
    check_detector(Sound())


@pytest.mark.parametrize(
    ("detector", "complaint"),
    [
        (FitOverwritesAParameter(), "changed the parameter 'threshold'"),
        (ScoreDependsOnTheBatch(), "depends on the batch"),
        (ScoreLearns(), "scoring other images changed"),
        (ScoreOutOfRange(), r"in \[0, 1\]"),
        (OneScoreForAll(), "one score per row"),
        (UnreadableIsFine(), "must be NaN"),
        (ChangesTheTable(), "table was changed"),
        (NoIssue(), "issue must be a name"),
        (LooksAtTheForm(), "other scores than arrays"),
        (FlagsAtTheThreshold(), "strictly below"),
        (CannotBePickled(), "pickle"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, iq.IssueDetector) else "",
)
def test_detector_check_finds_the_fault(detector, complaint):
    with pytest.raises(AssertionError, match=complaint):
        check_detector(detector)
