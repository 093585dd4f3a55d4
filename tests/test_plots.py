"""What the plots draw: bars, lines, words, images and frames, and that no words overlap."""

from __future__ import annotations

import subprocess
import sys
from itertools import combinations
from pathlib import Path

import naive
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from sklearn.exceptions import NotFittedError

import imagequality as iq
from imagequality import thresholds
from imagequality.datasets import make_flawed_images
from imagequality.plots import (
    DuplicateGroupsDisplay,
    IssueGalleryDisplay,
    ScoreHistogramDisplay,
    ThresholdComparisonDisplay,
)

matplotlib = pytest.importorskip("matplotlib")
matplotlib.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402
from matplotlib.colors import to_hex, to_rgb  # noqa: E402
from matplotlib.figure import Figure  # noqa: E402
from matplotlib.text import Text  # noqa: E402


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    plt.close("all")


@pytest.fixture(scope="module")
def images():
    """100 images: 8 dark, 8 with a near duplicate, and one that cannot be read."""
    made, _ = make_flawed_images(
        99, issues=["dark", "near_duplicates"], contamination=0.08, size=32, random_state=0
    )
    return [*made, b"no image"]


@pytest.fixture(scope="module")
def pipeline(images):
    return iq.QualityPipeline(progress=False).fit(images)


@pytest.fixture(scope="module")
def report(pipeline):
    return pipeline.report()


@pytest.fixture(scope="module")
def two_groups():
    """Scores of a bulk and of a separate low group, and which belong to it."""
    generator = np.random.default_rng(0)
    scores = np.concatenate([generator.normal(0.8, 0.04, 940), generator.normal(0.35, 0.03, 60)])
    return scores, np.repeat([0, 1], [940, 60])


def fresh_axes(width=7.0, height=6.0):
    """Axes that pyplot knows nothing of."""
    return Figure(figsize=(width, height)).add_axes((0.12, 0.12, 0.83, 0.6))


def not_drawn(ax):
    """The texts that axes have, but do not draw: of ticks out of sight, and of hidden axes."""
    if not ax.axison:
        return set(ax.findobj(Text)) - set(ax.texts)
    ticks = [
        tick
        for axis in (ax.xaxis, ax.yaxis)
        for tick in axis.get_major_ticks() + axis.get_minor_ticks()
        if not min(axis.get_view_interval()) <= tick.get_loc() <= max(axis.get_view_interval())
    ]
    return {text for tick in ticks for text in tick.findobj(Text)}


def words_drawn(figure):
    """The boxes of all texts that are drawn, in pixels."""
    figure.draw_without_rendering()
    hidden = {text for ax in figure.axes for text in not_drawn(ax)}
    return {
        text: text.get_window_extent().extents
        for text in figure.findobj(Text)
        if text.get_visible() and text.get_text().strip() and text not in hidden
    }


def assert_words_are_apart(figure):
    boxes = words_drawn(figure)
    clashes = [
        (one.get_text(), other.get_text())
        for (one, box), (other, other_box) in combinations(boxes.items(), 2)
        if naive.overlap(box, other_box)
    ]
    assert clashes == []
    return boxes


def drawn_counts(display):
    return {what: int(sum(bars.datavalues)) for what, bars in display.bars_.items()}


# --------------------------------------------------------------------------------- histogram


def test_histogram_of_a_cut(images):
    detector = iq.DarkDetector().fit(images)
    display = ScoreHistogramDisplay.from_estimator(detector, images, ax=fresh_axes())
    scores = detector.score_samples(images)
    flagged = int((scores < detector.threshold_).sum())
    assert drawn_counts(display) == {
        "separate low group, flagged": flagged,
        "not flagged": 99 - flagged,
    }
    assert list(display.line_.get_xdata()) == [detector.threshold_] * 2
    assert display.text_.get_text().replace("\n", " ") == (
        f"AutoThreshold cut: {detector.selector_.reason_}"
    )
    title = display.ax_.get_title(loc="left").replace("\n", " ")
    assert (
        title
        == f"dark: {flagged} of 99 images flagged ({flagged / 99:.1%}), 1 not judged".replace(
            "%)", " %)"
        )
    )
    assert f"{detector.threshold_:.3g}" in display.threshold_text_.get_text()


def test_histogram_says_why_the_selector_abstained(clean):
    detector = iq.BlurDetector().fit(clean)
    display = ScoreHistogramDisplay.from_estimator(detector, clean, ax=fresh_axes())
    assert not detector.predict(clean).any()
    assert drawn_counts(display) == {"not flagged": len(clean)}
    words = display.text_.get_text().replace("\n", " ")
    assert words == f"AutoThreshold abstained: {detector.selector_.reason_}"
    assert "none of 60 images" in display.ax_.get_title(loc="left")


@settings(max_examples=40, deadline=None)
@given(
    scores=st.lists(st.floats(-2, 2) | st.just(float("nan")), min_size=1, max_size=60),
    threshold=st.floats(-2, 2),
    group_below=st.none() | st.floats(-2, 2),
    bins=st.integers(1, 80),
)
def test_every_score_is_in_a_bar_on_its_side_of_the_threshold(scores, threshold, group_below, bins):
    display = ScoreHistogramDisplay(scores, threshold, group_below=group_below)
    display.plot(ax=fresh_axes(), bins=bins)
    assert drawn_counts(display) == naive.counts_by_colour(scores, threshold, group_below)
    for what, bars in display.bars_.items():
        for bar in bars:
            if what.endswith("not flagged"):
                assert bar.get_x() >= threshold
            else:
                assert bar.get_x() + bar.get_width() <= threshold + 1e-9


def test_colours_tell_the_group_from_what_a_limit_flags_and_spares():
    scores = [0.1, 0.15, 0.3, 0.8, 0.9]
    raised = ScoreHistogramDisplay(scores, 0.5, group_below=0.2).plot(ax=fresh_axes())
    lowered = ScoreHistogramDisplay(scores, 0.12, group_below=0.2).plot(ax=fresh_axes())
    assert drawn_counts(raised) == {
        "separate low group, flagged": 2,
        "flagged": 1,
        "not flagged": 2,
    }
    assert drawn_counts(lowered) == {
        "separate low group, flagged": 1,
        "separate low group, not flagged": 1,
        "not flagged": 3,
    }
    for display in (raised, lowered):
        colours = {to_hex(bars[0].get_facecolor()) for bars in display.bars_.values()}
        assert len(colours) == 3


@pytest.mark.parametrize("selector", [iq.AutoThreshold(), iq.GatedThreshold(iq.OtsuThreshold())])
def test_the_group_is_the_one_that_the_selector_found(two_groups, selector):
    from imagequality.plots._score_histogram import low_group_limit

    scores, y = two_groups
    limit = low_group_limit(selector.fit(scores))
    np.testing.assert_array_equal(scores < limit, y == 1)
    assert low_group_limit(iq.AutoThreshold().fit(scores[y == 0])) is None
    assert low_group_limit(iq.OtsuThreshold().fit(scores)) is None


@pytest.mark.parametrize(
    ("n_flagged", "log", "scale"),
    [(3, "auto", "log"), (3, False, "linear"), (400, "auto", "linear"), (400, True, "log")],
)
def test_few_flagged_images_are_seen(n_flagged, log, scale):
    scores = np.concatenate([np.full(n_flagged, 0.1), np.linspace(0.79, 0.81, 3000)])
    display = ScoreHistogramDisplay(scores, 0.5).plot(ax=fresh_axes(), bins=30, log=log)
    assert display.ax_.get_yscale() == scale
    low, high = display.ax_.get_ylim()
    ticks = display.ax_.get_yticks()
    tallest = max(bar.get_y() + bar.get_height() for bars in display.bars_.values() for bar in bars)
    assert low < 1
    assert tallest < high
    assert max(ticks) <= tallest


def test_a_million_scores_make_no_more_bars_than_bins():
    scores = np.random.default_rng(0).beta(8, 2, 1_000_000)
    display = ScoreHistogramDisplay(scores, 0.3, group_below=0.25).plot(ax=fresh_axes(), bins=50)
    assert sum(len(bars) for bars in display.bars_.values()) <= 3 * 52
    assert sum(drawn_counts(display).values()) == 1_000_000


def test_histogram_of_a_report_is_that_of_its_pipeline(pipeline, report, images):
    measured = ScoreHistogramDisplay.from_estimator(pipeline, issue="dark", ax=fresh_axes())
    given_images = ScoreHistogramDisplay.from_estimator(
        pipeline, images, issue="dark", ax=fresh_axes()
    )
    reported = ScoreHistogramDisplay.from_report(report, "dark", ax=fresh_axes())
    assert drawn_counts(measured) == drawn_counts(given_images)
    assert drawn_counts(reported)["flagged"] == report.issues["is_dark_issue"].sum()
    assert reported.line_.get_xdata()[0] == measured.line_.get_xdata()[0]
    assert "valley" in reported.text_.get_text() or "gap" in reported.text_.get_text()


@pytest.mark.parametrize("scores", [[], [float("nan")] * 3])
def test_histogram_of_nothing_is_a_sentence(scores):
    display = ScoreHistogramDisplay(scores, 0.5, issue="dark").plot(ax=fresh_axes())
    assert display.text_.get_text().replace("\n", " ").startswith("dark: no image has a score")
    assert not display.ax_.patches
    assert not display.ax_.axison


@pytest.mark.parametrize("scores", [[0.5], [0.5, 0.5], [0.0, 1.0], [1.0] * 5])
def test_histogram_of_very_little(scores):
    display = ScoreHistogramDisplay(scores, 0.5).plot(ax=fresh_axes())
    assert sum(drawn_counts(display).values()) == len(scores)
    assert_words_are_apart(display.figure_)


# -------------------------------------------------------------------------------- comparison


def test_every_selector_has_a_line_from_its_threshold_to_its_row(two_groups):
    scores, y = two_groups
    display = ThresholdComparisonDisplay.from_scores(scores, y=y, ax=fresh_axes(8, 8))
    beforehand = {"FixedThreshold", "FunctionThreshold", "ThresholdSelector"}
    expected = {
        name.removesuffix("Threshold") for name in thresholds.__all__ if name not in beforehand
    }
    assert set(display.lines_) == expected
    for name, line in display.lines_.items():
        fitted = getattr(thresholds, f"{name}Threshold")().fit(scores, y)
        assert line.get_xdata()[0] == line.get_xdata()[1] == fitted.threshold_
    elbows = [
        (*line.get_xdata()[:1], line.get_ydata()[1], line.get_xdata()[2])
        for line in display.lines_.values()
    ]
    assert not any(naive.elbows_cross(*pair) for pair in combinations(elbows, 2))
    heights = [height for _, height, _ in elbows]
    assert heights == sorted(heights, reverse=True)
    assert [x for x, _, _ in elbows] == sorted(x for x, _, _ in elbows)


def test_rows_say_threshold_share_and_f1(two_groups):
    scores, y = two_groups
    selectors = {"half": iq.FixedThreshold(0.5), "high": iq.FixedThreshold(0.8)}
    display = ThresholdComparisonDisplay.from_scores(scores, selectors, y=y, ax=fresh_axes())
    rows = [[text.get_text() for text in row] for row in display.text_]
    expected = []
    for name, value in (("half", 0.5), ("high", 0.8)):
        flags = [int(score < value) for score in scores]
        share = sum(flags) / len(flags)
        f1 = naive.f1(y.tolist(), flags)
        expected.append([name, f"{value:.3f}", f"{100 * share:.1f} %", f"{f1:.2f}"])
    assert rows == expected
    assert [text.get_fontweight() for text in display.text_[0]] == ["bold"] * 4  # the best F1
    assert [text.get_fontweight() for text in display.text_[1]] == ["normal"] * 4
    assert drawn_counts(display) == {"bad": 60, "good": 940}
    middles = [row[0].get_position()[1] for row in display.text_]
    assert middles == [line.get_ydata()[1] for line in display.lines_.values()]


def test_without_labels_there_is_no_f1_and_the_default_is_bold(two_groups):
    scores, _ = two_groups
    display = ThresholdComparisonDisplay.from_scores(np.r_[scores, np.nan], ax=fresh_axes(8, 8))
    assert "Supervised" not in display.lines_
    assert drawn_counts(display) == {"images": 1000}
    assert [text.get_text() for text in display.header_] == ["", "threshold", "flagged"]
    bold = [row[0].get_text() for row in display.text_ if row[0].get_fontweight() == "bold"]
    assert bold == ["Auto"]
    assert display.table["f1"].isna().all()


def test_comparison_of_a_detector_uses_its_limits(images, pipeline):
    display = ThresholdComparisonDisplay.from_estimator(
        pipeline, images, [iq.AutoThreshold(), iq.OtsuThreshold()], issue="dark", ax=fresh_axes()
    )
    auto = display.table.set_index("selector").loc["Auto"]
    assert auto["threshold"] == pipeline.named_detectors_["dark"].threshold_


def test_selectors_of_one_class_are_told_apart(two_groups):
    scores, _ = two_groups
    selectors = [iq.QuantileThreshold(share) for share in (0.01, 0.02, 0.03)]
    display = ThresholdComparisonDisplay.from_scores(scores, selectors, ax=fresh_axes())
    assert list(display.lines_) == ["Quantile", "Quantile (2)", "Quantile (3)"]
    assert not hasattr(selectors[0], "threshold_")  # copies were fitted


@pytest.mark.parametrize("scores", [[], [float("nan")]])
def test_comparison_of_nothing_is_a_sentence(scores):
    display = ThresholdComparisonDisplay.from_scores(scores, ax=fresh_axes())
    assert "no score" in display.text_[0][0].get_text().replace("\n", " ")


# ----------------------------------------------------------------------------------- gallery


def test_gallery_shows_the_worst_images_of_each_issue(report, images):
    display = IssueGalleryDisplay.from_report(report, ["dark"], images=images, n=5, ax=fresh_axes())
    scores = report.issues["dark_score"]
    worst = sorted((score, row) for row, score in scores.items() if not np.isnan(score))[:5]
    for drawn, (_, row) in zip(display.images_[0], worst, strict=True):
        np.testing.assert_array_equal(drawn.get_array(), images[row])
    assert [text.get_text() for text in display.captions_[0]] == [f"{s:.3f}" for s, _ in worst]
    assert [text.get_text() for text in display.names_[0]] == [f"image {row}" for _, row in worst]
    flagged = int(report.issues["is_dark_issue"].sum())
    assert display.headings_[0].get_text().startswith(f"dark: {flagged} of 100 images")


def test_gallery_shows_all_issues_found_but_duplicates(report, images):
    display = IssueGalleryDisplay.from_report(report, images=images, ax=fresh_axes(8, 12))
    summary = report.summary.set_index("issue")["count"]
    found = {i for i in summary.index if summary[i] and not i.endswith("_duplicates")}
    assert {text.get_text().partition(":")[0] for text in display.headings_} == found
    counts = [summary[text.get_text().partition(":")[0]] for text in display.headings_]
    assert counts == sorted(counts, reverse=True)
    assert [len(row) for row in display.images_] == [min(count, 6) for count in counts]


def test_gallery_frames_the_flagged_where_others_are_shown(report, images):
    flagged = int(report.issues["is_dark_issue"].sum())
    display = IssueGalleryDisplay.from_report(
        report, "dark", images=images, n=flagged + 2, only_flagged=False, ax=fresh_axes()
    )
    assert len(display.images_[0]) == flagged + 2
    thick = [patch for patch in display.ax_.patches if patch.get_linewidth() > 1]
    assert len(thick) == flagged


def test_gallery_says_why_an_image_cannot_be_shown(report, images):
    display = IssueGalleryDisplay.from_report(report, "invalid", images=images, ax=fresh_axes())
    assert display.images_ == [[None]]
    words = " ".join(text.get_text().replace("\n", " ") for text in display.text_)
    assert report.issues["reason"].iloc[-1] in words


def test_gallery_of_a_detector(images):
    detector = iq.DarkDetector().fit(images)
    flagged = int(detector.predict(images).sum())
    display = IssueGalleryDisplay.from_estimator(detector, images, n=50, ax=fresh_axes(8, 8))
    assert len(display.images_[0]) == flagged
    table = iq.measure(images, progress=False)
    again = IssueGalleryDisplay.from_estimator(
        detector, table, images=images, n=50, ax=fresh_axes(8, 8)
    )
    for one, other in zip(display.images_[0], again.images_[0], strict=True):
        np.testing.assert_array_equal(one.get_array(), other.get_array())


def test_large_images_are_made_small_and_keep_their_shape():
    image = np.zeros((900, 300, 3), np.uint8)
    image[:450] = 200
    detector = iq.DarkDetector(threshold=1.0).fit([image])
    display = IssueGalleryDisplay.from_estimator(detector, [image], ax=fresh_axes())
    drawn = display.images_[0][0]
    height, width = drawn.get_array().shape[:2]
    assert max(height, width) <= 400
    left, right, bottom, top = drawn.get_extent()
    assert abs(top - bottom) / abs(right - left) == pytest.approx(3, rel=0.02)
    assert drawn.get_array()[0, 0, 0] == 200  # the top of the image is up:
    pixels = display.ax_.transData.transform([(left, top), (left, bottom)])
    assert pixels[0, 1] > pixels[1, 1]


def test_odd_and_long_names_are_drawn_in_their_room(tmp_path):
    names = [f"a $very_ long^ name$ {'x' * 80} {number}.png" for number in range(3)]
    for name in names:
        Image.fromarray(np.zeros((9, 9, 3), np.uint8)).save(tmp_path / name)
    (tmp_path / "unreadable.png").write_bytes(b"no image")
    report = iq.QualityPipeline(progress=False).fit(iq.list_images(tmp_path)).report()
    display = IssueGalleryDisplay.from_report(report, ["dark", "invalid"])
    shown = [text.get_text() for text in display.names_[0]]
    assert [name[-5:] for name in shown] == ["0.png", "1.png", "2.png"]
    assert all("…" in name for name in shown)
    assert_words_are_apart(display.figure_)


def test_gallery_of_a_clean_collection_is_a_sentence(clean):
    detectors = [("dark", iq.DarkDetector())]
    report = iq.QualityPipeline(detectors, progress=False).fit(clean).report()
    display = IssueGalleryDisplay.from_report(report, images=clean, ax=fresh_axes())
    assert [text.get_text() for text in display.text_] == ["No image has an issue."]
    named = IssueGalleryDisplay.from_report(report, "dark", images=clean, ax=fresh_axes())
    assert "dark: 0 of 60 images" in named.headings_[0].get_text()
    assert named.images_ == [[]]


# ------------------------------------------------------------------------------------ groups


def test_groups_show_the_kept_copy_first_and_framed(report, images):
    display = DuplicateGroupsDisplay.from_report(
        report, "near_duplicates", images=images, n_groups=3, ax=fresh_axes(7, 9)
    )
    members = report.duplicates[report.duplicates["issue"] == "near_duplicates"]
    assert len(display.images_) == 3
    for group, drawn, frames, captions in zip(
        display.groups, display.images_, display.frames_, display.captions_, strict=True
    ):
        rows = members[members["group"] == group.group]
        kept = rows["kept"].iloc[0]
        np.testing.assert_array_equal(drawn[0].get_array(), images[kept])
        others = rows[~rows["keep"].astype(bool)].sort_values("distance", kind="stable")
        for image, row in zip(drawn[1:], others["image"], strict=True):
            np.testing.assert_array_equal(image.get_array(), images[row])
        assert [text.get_text() for text in captions] == [
            "keep",
            *(f"distance {distance:.3g}" for distance in others["distance"]),
        ]
        widths = [frame.get_linewidth() for frame in frames]
        assert widths[0] > 3 * max(widths[1:])
        assert to_rgb(frames[0].get_edgecolor()[:3]) != to_rgb(frames[1].get_edgecolor()[:3])
        # The frame runs around the image.
        box = frames[0].get_bbox()
        assert sorted([box.x0, box.x1, box.y0, box.y1]) == pytest.approx(
            sorted(drawn[0].get_extent())
        )


def test_groups_of_a_detector_a_pipeline_and_a_report_are_the_same(pipeline, report, images):
    detector = pipeline.named_detectors_["near_duplicates"]
    displays = [
        DuplicateGroupsDisplay.from_estimator(detector, images, ax=fresh_axes()),
        DuplicateGroupsDisplay.from_estimator(pipeline, images, ax=fresh_axes()),
        DuplicateGroupsDisplay.from_report(report, images=images, ax=fresh_axes()),
    ]
    words = [[text.get_text() for text in display.text_] for display in displays]
    assert words[0] == words[1] == words[2]


def test_largest_groups_come_first_and_say_what_is_hidden():
    generator = np.random.default_rng(0)
    first, second, third = generator.integers(0, 255, (3, 24, 24, 3), dtype=np.uint8)
    images = [first, first, *[second] * 9, *[third] * 3]
    detector = iq.ExactDuplicateDetector().fit(images)
    display = DuplicateGroupsDisplay.from_estimator(
        detector, images, n_groups=2, n_images=4, ax=fresh_axes()
    )
    assert [group.size for group in display.groups] == [9, 3]
    assert [len(row) for row in display.images_] == [4, 3]
    assert display.title_.get_text() == "exact_duplicates: 2 of 3 groups, 11 images to drop"
    assert [text.get_text() for text in display.headings_] == [
        "group 1: 9 images (5 not shown)",
        "group 2: 3 images",
    ]
    for row, image in zip(display.images_, (second, third), strict=True):
        for drawn in row:
            np.testing.assert_array_equal(drawn.get_array(), image)


def test_paths_that_are_named_twice(tmp_path):
    generator = np.random.default_rng(0)
    for name in "ab":
        pixels = generator.integers(0, 255, (24, 24, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"{name}.png")
    paths = [str(tmp_path / name) for name in ("a.png", "b.png", "a.png", "b.png", "b.png")]
    report = iq.QualityPipeline(progress=False).fit(paths).report()
    display = DuplicateGroupsDisplay.from_report(report, "exact_duplicates")
    assert [[text.get_text() for text in row] for row in display.names_] == [
        ["b.png"] * 3,
        ["a.png"] * 2,
    ]


def test_no_group_is_a_sentence(clean):
    detector = iq.ExactDuplicateDetector().fit(clean)
    display = DuplicateGroupsDisplay.from_estimator(detector, clean, ax=fresh_axes())
    assert [text.get_text() for text in display.text_] == ["No group of exact duplicates."]
    report = iq.QualityPipeline([("dark", iq.DarkDetector())], progress=False).fit(clean).report()
    none = DuplicateGroupsDisplay.from_report(report, images=clean, ax=fresh_axes())
    assert none.images_ == []


# ------------------------------------------------------------------------------ all displays


def draw_histogram(images, report, ax=None):
    return ScoreHistogramDisplay.from_report(report, "dark", ax=ax)


def draw_comparison(images, report, ax=None):
    scores = report.issues["dark_score"].to_numpy()
    y = (report.issues["is_dark_issue"] == True).fillna(False).to_numpy(dtype=int)  # noqa: E712
    return ThresholdComparisonDisplay.from_scores(scores, y=y, ax=ax)


def draw_gallery(images, report, ax=None):
    return IssueGalleryDisplay.from_report(report, images=images, ax=ax)


def draw_groups(images, report, ax=None):
    return DuplicateGroupsDisplay.from_report(report, images=images, ax=ax)


every_display = pytest.mark.parametrize(
    "draw", [draw_histogram, draw_comparison, draw_gallery, draw_groups]
)


@every_display
@pytest.mark.parametrize("size", [None, (11, 9), (6, 4.5), (4, 3.5)])
def test_words_do_not_overlap_and_stay_in_the_figure(draw, size, images, report):
    display = draw(images, report, ax=None if size is None else fresh_axes(*size))
    boxes = assert_words_are_apart(display.figure_)
    width, height = display.figure_.bbox.size
    if size is None:
        for left, bottom, right, top in boxes.values():
            assert left >= 0
            assert bottom >= 0
            assert right <= width
            assert top <= height


@every_display
@pytest.mark.parametrize("layout", ["constrained", "tight", None])
def test_words_do_not_overlap_where_the_size_changes_afterwards(draw, layout, images, report):
    figure = plt.figure(figsize=(12, 9), layout=layout)
    axes = figure.subplots(1, 2)
    display = draw(images, report, ax=axes[0])
    draw(images, report, ax=axes[1])
    figure.draw_without_rendering()
    figure.set_size_inches(8, 6)
    figure.draw_without_rendering()
    words = [text for text in words_drawn(figure) if text.axes is display.ax_]
    boxes = [text.get_window_extent().extents for text in words]
    assert not any(naive.overlap(*pair) for pair in combinations(boxes, 2))


@every_display
def test_words_drawn_at_another_resolution_are_the_same(draw, images, report):
    display = draw(images, report, ax=fresh_axes())
    before = [text.get_text() for text in words_drawn(display.figure_)]
    display.figure_.set_dpi(250)
    assert [text.get_text() for text in words_drawn(display.figure_)] == before


@every_display
def test_axes_that_were_cleared_can_be_used_for_something_else(draw, images, report):
    display = draw(images, report, ax=fresh_axes())
    display.ax_.clear()
    display.ax_.plot([0, 1])
    display.figure_.set_size_inches(3, 3)
    display.figure_.draw_without_rendering()
    assert display.ax_.get_title(loc="left") == ""
    assert len(display.ax_.texts) == 0


@every_display
def test_pyplot_is_left_alone_if_axes_are_given(draw, images, report):
    own = plt.figure()
    figures = plt.get_fignums()
    ax = fresh_axes()
    display = draw(images, report, ax=ax)
    assert display.ax_ is ax
    assert display.figure_ is ax.figure
    assert plt.get_fignums() == figures
    assert plt.gcf() is own
    assert not own.axes
    assert draw(images, report).figure_.number in plt.get_fignums()


@every_display
def test_words_can_be_read_on_dark_and_on_light(draw, images, report):
    with plt.style.context("dark_background"):
        ax = plt.figure(figsize=(7, 6)).add_axes((0.1, 0.1, 0.8, 0.6))
    display = draw(images, report, ax=ax)  # drawn after the style was left
    light = draw(images, report, ax=fresh_axes())
    for shown, least_brightness in ((display, 0.5), (light, 0.0)):
        for text in shown.ax_.texts:
            brightness = sum(to_rgb(text.get_color())) / 3
            assert least_brightness <= brightness <= least_brightness + 0.5


@every_display
def test_a_display_can_be_drawn_again(draw, images, report):
    display = draw(images, report)
    ax = fresh_axes(8, 8)
    assert display.plot(ax=ax) is display
    assert display.ax_ is ax


def test_matplotlib_is_imported_only_to_draw():
    code = (
        "import sys, imagequality.plots\n"
        "assert 'matplotlib' not in sys.modules\n"
        "from matplotlib.figure import Figure\n"
        "imagequality.plots.ScoreHistogramDisplay([0.1, 0.9], 0.5).plot(ax=Figure().subplots())\n"
        "assert 'matplotlib.pyplot' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(iq.__file__).parents[1])


def test_without_matplotlib_the_extra_is_named():
    code = (
        "import sys\n"
        "sys.modules['matplotlib'] = None\n"
        "from imagequality.plots import ScoreHistogramDisplay, ThresholdComparisonDisplay\n"
        "for draw in (ScoreHistogramDisplay([0.1], 0.5).plot,\n"
        "             lambda: ThresholdComparisonDisplay.from_scores([0.1])):\n"
        "    try:\n"
        "        draw()\n"
        "    except ImportError as error:\n"
        "        assert 'imagequality[plot]' in str(error), error\n"
        "    else:\n"
        "        raise AssertionError('no ImportError')"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(iq.__file__).parents[1])


# ------------------------------------------------------------------------------------ errors


def test_bad_arguments_are_named(report, pipeline, images):
    with pytest.raises(ValueError, match="bins must be an integer"):
        ScoreHistogramDisplay([0.1], 0.5).plot(bins=0)
    with pytest.raises(ValueError, match="log must be"):
        ScoreHistogramDisplay([0.1], 0.5).plot(log="yes")
    with pytest.raises(ValueError, match="issue must be one of 'invalid'"):
        ScoreHistogramDisplay.from_report(report, "foggy")
    with pytest.raises(ValueError, match="issue must be one of 'invalid'"):
        ScoreHistogramDisplay.from_estimator(pipeline)
    with pytest.raises(ValueError, match="issue must be one of 'invalid'"):
        IssueGalleryDisplay.from_report(report, ["dark", "foggy"], images=images)
    with pytest.raises(ValueError, match="issue must be one of 'invalid'"):
        DuplicateGroupsDisplay.from_report(report, "foggy", images=images)
    with pytest.raises(ValueError, match="columns must be an integer"):
        IssueGalleryDisplay.from_report(report, images=images, columns=0)
    with pytest.raises(TypeError, match="'x' must be a ThresholdSelector"):
        ThresholdComparisonDisplay.from_scores([0.1, 0.2], {"x": 0.5})
    with pytest.raises(ValueError, match="at least one is needed"):
        ThresholdComparisonDisplay.from_scores([0.1, 0.2], [])


def test_images_that_are_not_known_are_asked_for(report, pipeline, images):
    with pytest.raises(ValueError, match="images="):
        IssueGalleryDisplay.from_report(report)
    with pytest.raises(ValueError, match="images="):
        DuplicateGroupsDisplay.from_report(report)
    with pytest.raises(ValueError, match="expected 100, got 99"):
        IssueGalleryDisplay.from_report(report, images=images[:-1])
    detector = pipeline.named_detectors_["near_duplicates"]
    with pytest.raises(ValueError, match="expected 100, got 99"):
        DuplicateGroupsDisplay.from_estimator(detector, images[:-1])
    with pytest.raises(TypeError, match="X must be given"):
        DuplicateGroupsDisplay.from_estimator(detector)
    with pytest.raises(TypeError, match="X must be given"):
        ScoreHistogramDisplay.from_estimator(detector)


def test_estimators_that_are_not_fitted_or_none(images):
    for display in (ScoreHistogramDisplay, IssueGalleryDisplay):
        with pytest.raises(NotFittedError):
            display.from_estimator(iq.DarkDetector(), images)
        with pytest.raises(TypeError, match="QualityPipeline"):
            display.from_estimator(object(), images)
    with pytest.raises(NotFittedError):
        DuplicateGroupsDisplay.from_estimator(iq.ExactDuplicateDetector(), images)
    with pytest.raises(NotFittedError):
        IssueGalleryDisplay.from_estimator(iq.QualityPipeline(), images)
