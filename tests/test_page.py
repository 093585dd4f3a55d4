"""The HTML page: what is in the file, and how it behaves in a browser."""

from __future__ import annotations

import base64
import csv
import io
import json
import re
import shutil

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

import imagequality as iq
from imagequality.report import guarded_cell, printable
from imagequality.report._page_data import (
    chosen_rows,
    common_folder,
    packed,
    rows_with_thumbnail,
    script_json,
)
from imagequality.report._thumbnails import thumbnail

pytest.importorskip("jinja2")

HOSTILE = [
    "</script><script>window.hacked=1</script>.jpg",
    "<img src=x onerror=window.hacked=1>.jpg",
    "\"'`;window.hacked=1//.jpg",
    "=1+1\u2028\u2029\n\r.jpg",
    "caf\udce9 \U0001f600 \u202egpj.exe",
    "{{ 7 * 7 }}.jpg",
    "@x<!--.jpg",
]


@pytest.fixture(scope="module")
def images(flawed, clean):
    return [*flawed[0], *clean[:10], clean[0], clean[0], clean[1], b"broken", b""]


@pytest.fixture(scope="module")
def report(images):
    return iq.QualityPipeline(progress=False).fit(images).report()


@pytest.fixture(scope="module")
def classes(images):
    return [["cat", "dog"][number % 2] for number in range(len(images))]


@pytest.fixture(scope="module")
def written(report, images, classes, tmp_path_factory):
    path = tmp_path_factory.mktemp("page") / "audit.html"
    report.to_html(path, images=images, labels=classes, title="Kites & co")
    return path


@pytest.fixture(scope="module")
def hostile(flawed, tmp_path_factory):
    """A page in which all text that comes from outside is hostile, and its report."""
    pairs = [*zip(HOSTILE, flawed[0], strict=False), ("</b>copy", flawed[0][0]), ("<i>", b"")]
    table = iq.measure(iter(pairs), progress=False)
    found = iq.QualityPipeline(progress=False).fit(table).report()
    found.issues.loc["<i>", "reason"] = "</td><script>window.hacked=1</script>"
    found.summary["method"] = "<script>window.hacked=1</script>"
    path = tmp_path_factory.mktemp("hostile") / "audit.html"
    # The names are no files: that their images cannot be loaded must not matter.
    found.to_html(
        path, title="</title><script>window.hacked=1</script>", labels=[*found.issues.index]
    )
    return path, found


def data_of(path):
    text = path.read_text(encoding="utf-8")
    return json.loads(re.search(r'id="data">(.*?)</script>', text, re.DOTALL).group(1))


def scores_of(packed_text):
    return np.frombuffer(base64.b64decode(packed_text), "<f4")


# ------------------------------------------------------------------ the file


def test_page_asks_for_nothing_from_outside(written):
    text = written.read_text(encoding="utf-8")
    assert "default-src 'none'" in text
    assert not re.search(r"""(src|href)=["']?(https?:|//|file:)""", text)
    assert "unsafe-inline" not in text
    assert "Kites &amp; co" in text
    assert " style=" not in text  # the policy would forbid it


def test_hostile_text_is_escaped_in_the_file(hostile):
    text = hostile[0].read_text(encoding="utf-8")
    assert text.count("<script") == 2  # the data and the page's own
    assert "<img src=x" not in text
    assert "49.jpg" not in text
    names = data_of(hostile[0])["names"]
    assert names == [printable(name) for name in [*HOSTILE, "</b>copy", "<i>"]]


@given(st.recursive(st.text(), lambda inner: st.lists(inner, max_size=3)))
def test_script_json_can_be_read_back_and_ends_no_element(data):
    text = script_json(data)
    assert text.isascii()
    assert not set(text) & set("<>&")
    assert json.loads(text) == data


@given(
    st.lists(st.one_of(st.floats(0, 1), st.just(np.nan)), min_size=1, max_size=30),
    st.one_of(st.floats(0, 1), st.just(1.01)),
)
def test_packed_scores_stay_on_their_side_of_the_threshold(scores, threshold):
    for limit in (threshold, scores[0] if np.isfinite(scores[0]) else 0.5):
        small = scores_of(packed(np.array(scores), limit)).astype(np.float64)
        np.testing.assert_array_equal(small < limit, np.array(scores) < limit)
        np.testing.assert_allclose(small, scores, atol=1e-6)


def test_page_holds_what_the_report_says(written, report):
    data = data_of(written)
    assert data["names"] == [str(name) for name in report.issues.index]
    for issue in data["issues"]:
        below = scores_of(issue["scores"]).astype(np.float64) < issue["threshold"]
        flags = report.issues[f"is_{issue['name']}_issue"]
        np.testing.assert_array_equal(below, flags.to_numpy(dtype=bool, na_value=False))
    sizes = [group["size"] for group in data["groups"]]
    assert sizes == sorted(report.plan.groupby("group").size(), reverse=True)
    for group in data["groups"]:
        kept = {report.plan["kept"].iloc[row] for row in group["rows"]}
        assert kept == {group["kept"]}
        kinds = report.duplicates.set_index("image")["issue"]
        for row, link in zip(group["rows"], group["links"], strict=True):
            told = [kind.replace("_", " ") for kind in np.atleast_1d(kinds.get(row))]
            expected = ["kept by the plan"] if row == group["kept"] else told
            assert link.startswith(tuple(expected))
    assert data["reasons"] == {
        str(row): reason for row, reason in enumerate(report.issues["reason"]) if reason
    }


def test_thumbnails_are_those_of_the_images(written, images):
    data = data_of(written)
    assert data["thumbnails"]
    for row, text in data["thumbnails"].items():
        shown = Image.open(io.BytesIO(base64.b64decode(text)))
        assert shown.format == "JPEG"
        own = np.asarray(images[int(row)], dtype=float)
        assert np.abs(np.asarray(shown, dtype=float) - own).mean() < 12


@pytest.mark.parametrize("shape", [(300, 40), (40, 300), (1, 5000), (5000, 1), (3, 3), (128, 128)])
def test_thumbnail_is_small_and_keeps_its_proportions(shape):
    pixels = np.zeros((*shape, 3), np.uint8)
    size = Image.open(io.BytesIO(base64.b64decode(thumbnail(pixels)))).size
    assert max(size) == min(max(shape), 128)
    scale = max(size) / max(shape)
    assert abs(min(size) - max(min(shape) * scale, 1)) <= 1


def test_worst_images_get_the_thumbnails(report):
    few = rows_with_thumbnail(report, 3)
    assert set(few) < set(rows_with_thumbnail(report, 50))
    for issue in ("dark", "light"):
        worst = report.issues[f"{issue}_score"].nsmallest(3).index
        assert set(worst) <= set(few)
    assert not set(few) & set(report.issues.index[report.issues["reason"] != ""])
    assert rows_with_thumbnail(report, 0) == []


def test_page_holds_the_worst_images_of_too_many(report, images, tmp_path):
    report.to_html(tmp_path / "few.html", images=images, max_images=30, max_thumbnails=0)
    data = data_of(tmp_path / "few.html")
    rows = [int(name) for name in data["names"]]
    assert len(rows) == 30
    assert rows == sorted(rows)
    quality = report.issues["quality_score"]
    assert quality[rows].max() <= quality.drop(rows).min()
    held = report.issues.loc[rows]
    assert data["restFlagged"] == report.issues["is_any_issue"].sum() - held["is_any_issue"].sum()
    for issue in data["issues"]:
        rest = report.issues[f"{issue['name']}_score"].drop(rows).dropna().to_numpy()
        edges = np.linspace(rest.min(), rest.max(), len(issue["rest"]["below"]))
        assert issue["rest"]["below"] == [int((rest < edge).sum()) for edge in edges]
        assert issue["rest"]["total"] == len(rest)
    assert "30 of 135 images" in (tmp_path / "few.html").read_text().replace("\n", " ")


def test_all_rows_are_chosen_if_they_are_few(report):
    assert chosen_rows(report.issues, len(report.issues)).tolist() == list(range(135))


@given(st.lists(st.text("ab/\\", min_size=1), min_size=1, max_size=5))
def test_common_folder_is_shared_and_ends_at_a_separator(names):
    folder = common_folder(names)
    assert all(name.startswith(folder) for name in names)
    assert folder == "" or folder[-1] in "/\\"
    rests = [name[len(folder) :] for name in names]
    longest = [re.match(r"[^/\\]*[/\\]|", rest).group() for rest in rests]
    assert longest[0] == "" or len(set(longest)) > 1  # or one more folder would be shared


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"images": [1, 2]}, "images"),
        ({"labels": ["a"]}, "labels"),
        ({"max_thumbnails": -1}, "max_thumbnails"),
        ({"max_images": 1.5}, "max_images"),
    ],
)
def test_bad_arguments_are_named(report, arguments, told, tmp_path):
    with pytest.raises(ValueError, match=told):
        report.to_html(tmp_path / "audit.html", **arguments)
    assert not (tmp_path / "audit.html").exists()


def test_images_come_by_path_frame_or_array(flawed_paths, tmp_path):
    paths = flawed_paths[:40]
    fitted = iq.QualityPipeline(progress=False).fit(paths)
    found = {}
    for name, given_images in {
        "paths": None,
        "list": paths,
        "series": pd.Series(paths),
        "frame": pd.DataFrame({"path": paths}),
        "column": np.array(paths, dtype=object)[:, None],
    }.items():
        fitted.report().to_html(tmp_path / "audit.html", images=given_images)
        found[name] = data_of(tmp_path / "audit.html")["thumbnails"]
    assert found["paths"]
    assert all(thumbnails == found["paths"] for thumbnails in found.values())


# ------------------------------------------------------------------ in a browser


@pytest.fixture(scope="module")
def browser():
    playwright = pytest.importorskip("playwright.sync_api")
    names = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
    program = next(filter(None, map(shutil.which, names)), None)
    with playwright.sync_playwright() as engine:
        try:
            started = engine.chromium.launch(executable_path=program, args=["--no-sandbox"])
        except playwright.Error as error:
            pytest.skip(f"no Chromium: {error}")
        yield started
        started.close()


@pytest.fixture
def visit(browser):
    """Open pages; none may say anything to the console or ask for anything."""
    told, contexts = [], []

    def open_page(path, **options):
        context = browser.new_context(accept_downloads=True, **options)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: told.append(message.text))
        page.on("pageerror", lambda error: told.append(str(error)))
        asked = ("file:", "data:", "blob:")
        page.on("request", lambda r: None if r.url.startswith(asked) else told.append(r.url))
        page.goto(path.as_uri())
        page.locator("#shown:not(:empty)").wait_for()
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert told == []


def number_of(page, identifier):
    return int(page.inner_text(f"#number-{identifier}").replace(",", ""))


def shown_of(page):
    return int(re.search(r"(\d+) images", page.inner_text("#shown").replace(",", "")).group(1))


def card_of(page, report, issue):
    number = report.summary["issue"].tolist().index(issue)
    return number, page.locator(f'.card[data-issue="{number}"]')


def names_of(page):
    return [
        name.removeprefix("image ")
        for name in page.locator("#tiles .name:not(.folder)").all_inner_texts()
    ]


def list_of(page):
    with page.expect_download() as waiting:
        page.click("#download")
    text = waiting.value.path().read_bytes().decode("utf-8")
    return list(csv.DictReader(io.StringIO(text, newline="")))


def test_numbers_are_those_of_the_report(visit, written, report):
    page = visit(written)
    assert number_of(page, "images") == len(report.issues)
    assert number_of(page, "flagged") == report.issues["is_any_issue"].sum() == shown_of(page)
    assert number_of(page, "drop") == (report.plan["action"] == "drop").sum()
    for row in report.summary.to_dict("records"):
        card = card_of(page, report, row["issue"])[1]
        if card.count():
            assert card.locator(".images").inner_text() == f"{row['count']:,}"
    decisions = {int(row["image"]): row["decision"] for row in list_of(page)}
    expected = report.plan["action"].to_dict()
    assert {row: decisions.get(row, "keep") for row in expected} == expected


def test_threshold_flags_anew(visit, written, report):
    page = visit(written)
    number, card = card_of(page, report, "dark")
    card.locator(".show").click()
    before = shown_of(page)
    assert before == report.summary["count"][number]
    for limit in (0.9, 0.05):
        card.locator(".slider").fill(str(limit))
        expected = int((report.issues["dark_score"] < limit).sum())
        page.wait_for_function(
            "([card, count]) => card.querySelector('.images').textContent === String(count)",
            arg=[card.element_handle(), expected],
        )
        assert shown_of(page) == expected
        others = report.issues[[c for c in report.issues if re.match("is_(?!dark|any).*_issue", c)]]
        flagged = others.fillna(False).any(axis=1) | (report.issues["dark_score"] < limit)
        assert number_of(page, "flagged") == flagged.sum()
        assert float(card.locator(".exact").input_value()) == pytest.approx(limit, rel=1e-3)
    card.locator(".exact").fill("0.9")  # by the keyboard, as a number
    assert shown_of(page) == (report.issues["dark_score"] < 0.9).sum()
    card.locator(".slider").focus()
    page.keyboard.press("ArrowLeft")
    page.wait_for_function(
        "card => +card.querySelector('.exact').value < 0.9", arg=card.element_handle()
    )
    card.locator(".reset").click()
    assert shown_of(page) == before


def test_gallery_is_sorted_filtered_searched_and_paged(visit, written, report, classes):
    page = visit(written)
    page.select_option("#filter-issue", "-2")
    assert shown_of(page) == len(report.issues)
    assert page.locator("#tiles .tile").count() == 48
    quality = report.issues["quality_score"]
    assert [quality[int(name)] for name in names_of(page)] == sorted(quality)[:48]
    page.select_option("#per-page", "24")
    forward = page.locator('#gallery .pager button[aria-label="Next page"]').first
    seen = names_of(page)
    while forward.is_enabled():
        forward.click()
        seen += names_of(page)
    assert sorted(map(int, seen)) == list(range(len(report.issues)))
    page.select_option("#sort", "best")
    best = [quality[int(name)] for name in names_of(page)]
    assert best == sorted(quality, reverse=True)[:24]
    page.fill("#search", "13")
    expected = {str(name) for name in report.issues.index if "13" in str(name)}
    assert set(names_of(page)) == expected
    page.fill("#search", "no such name")
    assert shown_of(page) == 0
    page.fill("#search", "")
    number, _ = card_of(page, report, "dark")
    page.select_option("#filter-issue", str(number))
    page.select_option("#filter-class", label="dog")
    dark = report.issues["is_dark_issue"].fillna(False).to_numpy(dtype=bool)
    assert shown_of(page) == (dark & (np.array(classes) == "dog")).sum()


def test_marks_by_keyboard_and_mouse(visit, written, report):
    page = visit(written)
    tiles = page.locator("#tiles .tile")
    first, second = names_of(page)[:2]
    tiles.first.focus()
    page.keyboard.press("k")
    page.keyboard.press("ArrowRight")
    assert tiles.nth(1).evaluate("tile => tile === document.activeElement")
    page.keyboard.press("d")
    assert page.inner_text("#marked") == "You marked 1 to keep, 1 to drop"
    assert tiles.first.locator("button.keep").get_attribute("aria-pressed") == "true"
    listed = {row["image"]: row for row in list_of(page)}
    assert (listed[first]["decision"], listed[first]["your_mark"]) == ("keep", "keep")
    assert (listed[second]["decision"], listed[second]["your_mark"]) == ("drop", "drop")
    assert number_of(page, "drop") == (report.plan["action"] == "drop").sum() - 1
    page.keyboard.press("ArrowDown")
    assert not tiles.nth(1).evaluate("tile => tile === document.activeElement")
    page.reload()  # marks are kept
    assert page.inner_text("#marked") == "You marked 1 to keep, 1 to drop"
    page.locator("#tiles .tile").first.locator("button.keep").click()  # a second time: none
    page.locator("#tiles .tile").nth(2).locator("button.drop").click()
    assert page.inner_text("#marked") == "You marked 0 to keep, 2 to drop"
    page.select_option("#filter-decision", "marked")
    assert shown_of(page) == 2
    page.click("#clear")
    assert page.inner_text("#marked") == "You marked 0 to keep, 0 to drop"


def test_tab_reaches_one_tile_and_page_keys_turn_pages(visit, written):
    page = visit(written)
    page.select_option("#filter-issue", "-2")
    assert page.locator('#tiles .tile[tabindex="0"]').count() == 1
    before = names_of(page)
    page.locator('#tiles .tile[tabindex="0"]').focus()
    page.keyboard.press("PageDown")
    assert not set(before) & set(names_of(page))
    assert page.evaluate("document.activeElement.classList.contains('tile')")
    page.keyboard.press("PageUp")
    assert names_of(page) == before
    page.keyboard.press("/")
    assert page.evaluate("document.activeElement.id") == "search"


def test_copy_that_the_user_keeps_replaces_the_plan_s(visit, written, report):
    page = visit(written)
    group = page.locator("#groups .group").first
    rows = [int(tile.get_attribute("data-row")) for tile in group.locator(".tile").all()]
    assert set(report.plan["group"][rows]) == {report.plan["group"][rows[0]]}
    badges = group.locator(".badge").all_inner_texts()
    assert [badge.endswith("keep") for badge in badges] == (
        report.plan["action"][rows] == "keep"
    ).tolist()
    group.locator(".tile").nth(1).locator("button.keep").click()
    badges = group.locator(".badge").all_inner_texts()
    assert [badge.endswith("keep") for badge in badges] == [at == 1 for at in range(len(rows))]
    group.locator(".tile").nth(1).locator("button.drop").click()
    badges = group.locator(".badge").all_inner_texts()
    assert badges[0].endswith("keep")
    assert sum(badge.endswith("keep") for badge in badges) == 1


def test_unreadable_images_and_classes_are_listed(visit, written, report, classes):
    page = visit(written)
    cells = page.locator("#unreadable-rows td").all_inner_texts()
    broken = report.issues[report.issues["reason"] != ""]
    assert cells == [
        text for name, reason in broken["reason"].items() for text in (str(name), reason)
    ]
    table = page.locator("#classes tbody tr").all()
    flagged = report.issues["is_any_issue"].groupby(np.array(classes)).agg(["size", "sum"])
    found = {row.locator("th").inner_text(): row.locator("td").all_inner_texts() for row in table}
    assert set(found) == {"cat", "dog"}
    for name, cells in found.items():
        assert cells[:2] == [str(flagged.loc[name, "size"]), str(flagged.loc[name, "sum"])]


def test_hostile_names_are_inert_and_shown_as_they_are(visit, hostile):
    path, found = hostile
    page = visit(path)
    page.select_option("#filter-issue", "-2")
    assert page.evaluate("typeof window.hacked") == "undefined"
    titles = page.locator("#tiles .tile .name:not(.folder)").evaluate_all(
        "all => all.map(one => one.title)"
    )
    expected = [printable(name) for name in found.issues.index]
    assert sorted(titles) == sorted(expected)
    for tile in page.locator("#tiles .tile").all():
        tile.locator("button.drop").click()
    listed = [row["image"] for row in list_of(page)]
    assert listed == [guarded_cell(name) for name in expected]
    assert page.evaluate("document.scripts.length") == 2
    assert page.evaluate("document.querySelectorAll('i, .name *, td script').length") == 0


def test_theme_follows_the_system_and_the_button(visit, written):
    colour = "getComputedStyle(document.body).backgroundColor"
    light, dark = (visit(written, color_scheme=name) for name in ("light", "dark"))
    seen = light.evaluate(colour), dark.evaluate(colour)
    assert seen[0] != seen[1]
    dark.click("#theme")
    assert dark.evaluate(colour) == seen[0]
    dark.click("#theme")
    assert dark.evaluate(colour) == seen[1]


def test_counts_of_images_that_are_left_out_are_estimated(visit, report, tmp_path):
    report.to_html(tmp_path / "few.html", max_images=30)
    page = visit(tmp_path / "few.html")
    _, card = card_of(page, report, "dark")
    scores = report.issues["dark_score"].dropna().sort_values()
    limit = float(scores.iloc[60:62].mean())
    card.locator(".exact").fill(repr(limit))
    told = card.locator(".images").inner_text()
    assert told.startswith("≈ ")
    assert abs(int(told[2:]) - (scores < limit).sum()) <= 3
    assert "≈" in page.inner_text("#number-flagged")


def test_ten_thousand_flagged_images_stay_light(visit, tmp_path):
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 60, size=(40, 16, 16, 3)).astype(np.uint8)
    table = iq.measure(list(pixels), progress=False)
    many = table.iloc[np.arange(10_000) % 40].reset_index(drop=True)
    many.index = pd.Index([f"folder/{row:05}.jpg" for row in range(10_000)], name="path")
    detectors = [("dark", iq.DarkDetector(threshold=0.99)), ("noisy", iq.NoiseDetector())]
    found = iq.QualityPipeline(detectors, progress=False).fit(many).report()
    assert found.issues["is_dark_issue"].all()
    found.to_html(tmp_path / "many.html", images=[pixels[row % 40] for row in range(10_000)])
    assert (tmp_path / "many.html").stat().st_size < 5e6
    page = visit(tmp_path / "many.html")
    assert shown_of(page) == 10_000
    assert page.evaluate("document.querySelectorAll('*').length") < 2_000
    page.fill("#search", "09999")
    assert names_of(page) == ["09999.jpg"]
    assert page.locator("#tiles .picture").inner_text() == "no thumbnail"
    assert len(list_of(page)) == 10_000
