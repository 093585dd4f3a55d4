"""Which classes are rejected, and why: what that says about how the images were collected."""

from __future__ import annotations

import html
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from numbers import Real
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import binomtest, hypergeom

from .report import QualityReport

_FINDINGS = ["finding", "class", "issue", "rate", "rest_rate", "p_value", "sentence"]
_AGGREGATES = frozenset({"any", "primary"})  # is_any_issue is no issue of its own

# A class stands out when it is rejected this many times as often as the rest: in a large set
# the smallest difference is significant.
_TIMES_THE_REST = 2.0
_FEWEST = 2  # rejected images of a class; one is no pattern
_MAJORITY = 0.5

_DIAGNOSES = {
    "low_resolution": "the source has thumbnails mixed in",
    "odd_size": "the source mixes images of different kinds",
    "pixelated": "the source enlarges small images",
    "compressed": "the source compresses too strongly",
    "blurry": "the camera's focus or the exposure time is at fault",
    "noisy": "the light or the sensor is at fault",
    "dark": "the light or the exposure is at fault",
    "light": "the light or the exposure is at fault",
    "badly_exposed": "the light or the exposure is at fault",
    "invalid": "files are damaged on their way",
    "exact_duplicates": "the source repeats itself",
    "near_duplicates": "the source repeats itself",
}


@dataclass(frozen=True, eq=False, repr=False)
class ClassReport:
    """Rejections by class, and what stands out. Made by :func:`class_report`.

    Parameters
    ----------
    table : DataFrame
        One row per class, the most rejected first: ``images``, ``rejected``, ``rate``,
        ``rest_rate`` (of the images of all other classes), ``p_value`` (corrected), and
        ``<issue>_rate`` for each issue.
    findings : DataFrame
        One row per finding: ``finding`` ("class_rejected", "class_issue", "dominant_issue",
        "high_rejection_rate"), ``class``, ``issue``, ``rate``, ``rest_rate``, ``p_value``, and
        ``sentence``, which says it in words. See :func:`class_report`.
    images, rejected, unlabelled : int
        Of all images; those without a label are in no class.
    """

    table: pd.DataFrame
    findings: pd.DataFrame
    images: int
    rejected: int
    unlabelled: int

    def __str__(self) -> str:
        lines = [self._headline(), ""]
        lines += [f"- {sentence}" for sentence in self.findings["sentence"]] or ["Nothing found."]
        if len(self.table):
            lines += ["", self._compact().to_string(float_format="{:.3g}".format)]
        return "\n".join(lines)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        items = "".join(f"<li>{html.escape(text)}</li>" for text in self.findings["sentence"])
        table = self._compact().to_html(float_format="{:.3g}".format)
        return f"<p>{self._headline()}</p><ul>{items or '<li>Nothing found.</li>'}</ul>{table}"

    def _headline(self) -> str:
        share = f" ({self.rejected / self.images:.1%})" if self.images else ""
        without = f", {self.unlabelled:,} without a label" if self.unlabelled else ""
        return (
            f"{self.images:,} images in {len(self.table):,} classes, "
            f"{self.rejected:,}{share} rejected{without}"
        )

    def _compact(self) -> pd.DataFrame:
        """Return the table without the issues that nobody has."""
        rates = self.table.columns[5:]  # those of the issues
        return self.table.drop(columns=[name for name in rates if not self.table[name].any()])


def class_report(
    report: Any,
    y: Any,
    *,
    issues: Sequence[str] | None = None,
    alpha: float = 0.05,
    max_rate: float = 0.2,
) -> ClassReport:
    """Ask which classes are rejected, for what, and whether that can be chance.

    An image is rejected if it has one of the issues. The findings are:

    - ``class_rejected``: a class is rejected significantly more often than the images of the
      other classes, and at least twice as often: the collection of that class is at fault.
    - ``class_issue``: the same of one issue.
    - ``dominant_issue``: more than half of the rejected images have the same first issue, in
      the order of the table's columns: causes first, in the tables of this library. Here
      ``rate`` is its share of the rejected, ``rest_rate`` 0.5.
    - ``high_rejection_rate``: more than ``max_rate`` of all images are rejected: a fault of the
      source, to be mended there. ``rest_rate`` is ``max_rate``.

    Parameters
    ----------
    report : QualityReport or DataFrame
        A report, its ``issues`` table, the table of :func:`validate_many`, the audit file of
        :func:`validate_folder` as pandas reads it, or any table of one row per image with boolean
        columns ``is_<issue>_issue``; a missing value is no issue.
        In a report of the pipeline duplicates are issues, too; ``issues`` can leave them out.
    y : array-like of shape (n,)
        The class of each image, by position; labels of any hashable type. None, NaN and NA
        are no label: these images count in the whole but in no class.
    issues : sequence of str, default=None
        Which issues reject an image. None means all in the table.
    alpha : float, default=0.05
        Significance level of the classes' tests, in (0, 1).
    max_rate : float, default=0.2
        In (0, 1).

    Returns
    -------
    report : ClassReport

    Raises
    ------
    TypeError, ValueError
        If the table has no such columns, an issue is unknown, the lengths differ, y is not
        one-dimensional, or a parameter is out of range.

    Notes
    -----
    Each class is compared with all other labelled images by Fisher's exact test, one-sided
    (more often). The p-values are corrected after Holm: over the classes for
    ``class_rejected``, over all pairs of a class and an issue for ``class_issue``. A class
    with fewer than two rejected images is never named. The two findings about the whole are
    told by the rate alone; their p-value is that of a one-sided binomial test, and the sentence
    says where it exceeds ``alpha``.

    References
    ----------
    S. Holm, "A simple sequentially rejective multiple test procedure", Scandinavian Journal of
    Statistics 6, 1979.

    Examples
    --------
    >>> import pandas as pd
    >>> table = pd.DataFrame({"is_blurry_issue": [True] * 9 + [False] * 91})
    >>> found = class_report(table, ["cat"] * 10 + ["dog"] * 90)
    >>> found.table[["images", "rejected", "rate"]]
           images  rejected  rate
    class
    cat        10         9   0.9
    dog        90         0   0.0
    >>> found.findings[["finding", "class", "issue"]].iloc[0].tolist()
    ['class_rejected', 'cat', 'blurry']
    """
    _check_share("alpha", alpha)
    _check_share("max_rate", max_rate)
    flags, rejected = _flags(report, issues)
    codes, classes = _classes(y, len(flags))
    names = list(map(str, flags))
    counts = _count(flags, rejected, codes, len(classes))
    findings = [
        *_classes_that_stand_out(counts, classes, names, alpha),
        *_dominant_issue(flags, rejected, alpha),
        *_high_rejection_rate(rejected, max_rate, alpha),
    ]
    return ClassReport(
        table=_by_class(counts, classes, names),
        findings=_as_table(findings),
        images=len(flags),
        rejected=int(rejected.sum()),
        unlabelled=int((codes < 0).sum()),
    )


# ------------------------------------------------------------------------- what comes in


def _check_share(name: str, value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, Real):
        raise TypeError(f"{name} must be a number, got {value!r}")
    if not 0 < float(value) < 1:
        raise ValueError(f"{name} must lie between 0 and 1, got {value!r}")


def _flags(report: Any, wanted: Sequence[str] | None) -> tuple[pd.DataFrame, NDArray[np.bool_]]:
    """Return a boolean column per issue, and which images are rejected."""
    table = report.issues if isinstance(report, QualityReport) else report
    if not isinstance(table, pd.DataFrame):
        raise TypeError(
            f"report must be a QualityReport or a DataFrame, got {type(report).__name__}"
        )
    columns = {
        name.removeprefix("is_").removesuffix("_issue"): name
        for name in table.columns
        if isinstance(name, str) and name.startswith("is_") and name.endswith("_issue")
    }
    found = [issue for issue in columns if issue not in _AGGREGATES]
    if not found:
        raise ValueError(
            "the table must have columns is_<issue>_issue; it has "
            f"{', '.join(map(repr, table.columns[:12]))}"
        )
    if isinstance(wanted, str):
        raise TypeError(f"issues must be a list of issues, got {wanted!r}")
    if wanted is not None and not len(wanted):
        raise ValueError("issues must name at least one issue; None means all")
    unknown = [issue for issue in wanted or () if issue not in found]
    if unknown:
        raise ValueError(f"issues: unknown {unknown[0]!r}; the table has {', '.join(found)}")
    kept = found if wanted is None else list(dict.fromkeys(wanted))
    flags = pd.DataFrame({issue: _plain_flags(table[columns[issue]]) for issue in kept})
    rejected: NDArray[np.bool_] = np.array(flags.to_numpy(dtype=bool).any(axis=1))
    if wanted is None and "any" in columns:  # an image without a verdict is rejected, too
        rejected |= _plain_flags(table[columns["any"]])
    return flags, rejected


def _plain_flags(column: pd.Series) -> NDArray[np.bool_]:
    if pd.api.types.is_bool_dtype(column.dtype):
        return column.to_numpy(dtype=bool, na_value=False)
    values = column.to_numpy(dtype=object)
    plain = np.where(column.isna().to_numpy(), False, values)
    if not np.isin(plain.astype(str), ("True", "False", "0", "1", "0.0", "1.0")).all():
        raise ValueError(f"the column {column.name!r} must hold true and false")
    return np.isin(plain.astype(str), ("True", "1", "1.0"))


def _classes(y: Any, n: int) -> tuple[NDArray[np.int64], list[Any]]:
    """Return the number of each image's class, −1 where it has none, and the classes."""
    if getattr(y, "ndim", 1) != 1:
        raise ValueError(f"y must be one-dimensional, got {y.ndim} dimensions")
    if isinstance(y, (str, bytes, Mapping, Set)) or not isinstance(y, Iterable):
        raise TypeError(f"y must hold one label for each image, got {y!r}")
    labels = list(y.tolist() if hasattr(y, "tolist") else y)
    if len(labels) != n:
        raise ValueError(f"y must have one label for each image: {n} images, {len(labels)} labels")
    codes = np.full(n, -1, dtype=np.int64)
    number: dict[Any, int] = {}
    for position, label in enumerate(labels):
        if not _is_missing(label):
            try:
                codes[position] = number.setdefault(label, len(number))
            except TypeError as error:
                raise TypeError(f"y: the label {label!r} is not hashable") from error
    return codes, list(number)


def _is_missing(label: Any) -> bool:
    return bool(pd.api.types.is_scalar(label) and pd.isna(label))


# ------------------------------------------------------------------------- counts and tests


@dataclass(frozen=True)
class _Counts:
    """Labelled images by class; the first row is that of any issue, the others the issues'."""

    images: NDArray[np.int64]  # (classes,)
    hits: NDArray[np.int64]  # (1 + issues, classes)

    @property
    def rate(self) -> NDArray[np.float64]:
        return self.hits / self.images

    @property
    def rest_rate(self) -> NDArray[np.float64]:
        """Of the images of all other classes; NaN where there are none."""
        others = (self.images.sum() - self.images).astype(np.float64)
        others[others == 0] = np.nan
        return (self.hits.sum(axis=1, keepdims=True) - self.hits) / others

    @property
    def p_value(self) -> NDArray[np.float64]:
        """Fisher's exact test, one-sided, corrected after Holm."""
        total, found = self.images.sum(), self.hits.sum(axis=1, keepdims=True)
        raw = hypergeom.sf(self.hits - 1, total, found, self.images)
        corrected = np.empty_like(raw)
        corrected[:1], corrected[1:] = _holm(raw[:1]), _holm(raw[1:])
        return corrected


def _count(
    flags: pd.DataFrame, rejected: NDArray[np.bool_], codes: NDArray[np.int64], classes: int
) -> _Counts:
    labelled = codes >= 0
    kinds = [rejected, *(flags[issue].to_numpy() for issue in flags)]
    hits = [np.bincount(codes[kind & labelled], minlength=classes) for kind in kinds]
    return _Counts(np.bincount(codes[labelled], minlength=classes), np.stack(hits))


def _holm(p_values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Correct p-values for their number: the smallest times n, the next times n − 1."""
    flat = p_values.ravel()
    order = np.argsort(flat, kind="stable")
    grown = np.maximum.accumulate(flat[order] * np.arange(flat.size, 0, -1))
    corrected = np.empty_like(flat)
    corrected[order] = np.minimum(grown, 1.0)
    return corrected.reshape(p_values.shape)


def _by_class(counts: _Counts, classes: list[Any], issues: list[str]) -> pd.DataFrame:
    columns: dict[str, Any] = {
        "images": counts.images,
        "rejected": counts.hits[0],
        "rate": counts.rate[0],
        "rest_rate": counts.rest_rate[0],
        "p_value": counts.p_value[0],
    }
    columns |= {f"{issue}_rate": own for issue, own in zip(issues, counts.rate[1:], strict=True)}
    index = pd.Index(_objects(classes), name="class", dtype=object, tupleize_cols=False)
    table = pd.DataFrame(columns, index=index)
    return table.sort_values("rate", ascending=False, kind="stable")


def _objects(values: list[Any]) -> NDArray[np.object_]:
    array = np.empty(len(values), dtype=object)
    for position, value in enumerate(values):  # a tuple must stay one label
        array[position] = value
    return array


# ------------------------------------------------------------------------- findings


def _as_table(findings: list[dict[str, Any]]) -> pd.DataFrame:
    table = pd.DataFrame(findings, columns=_FINDINGS)
    # Left to itself, pandas makes floats of integers beside None, and NaN of None.
    classes = _objects([finding["class"] for finding in findings])
    table["class"] = pd.Series(classes, index=table.index, dtype=object)
    return table


def _classes_that_stand_out(
    counts: _Counts, classes: list[Any], issues: list[str], alpha: float
) -> list[dict[str, Any]]:
    rate, rest_rate, p_value = counts.rate, counts.rest_rate, counts.p_value
    stands_out = (
        (p_value < alpha) & (counts.hits >= _FEWEST) & (rate >= _TIMES_THE_REST * rest_rate)
    )
    findings = []
    told = set()  # the issues that the finding about the class names already
    for kind, position in sorted(
        zip(*np.nonzero(stands_out), strict=True), key=lambda at: (at[0] > 0, -rate[at])
    ):
        at, label = (kind, position), classes[position]
        if kind == 0:
            main = issues[int(np.argmax(counts.hits[1:, position]))]
            told.add((main, position))
            what, issue = f"rejected, mostly as {main}", main
        else:
            issue = issues[kind - 1]
            if (issue, position) in told:
                continue
            what = f"with the issue {issue}"
        findings.append(
            {
                "finding": "class_issue" if kind else "class_rejected",
                "class": label,
                "issue": issue,
                "rate": rate[at],
                "rest_rate": rest_rate[at],
                "p_value": p_value[at],
                "sentence": (
                    f"class {label!r}: {rate[at]:.1%} ({counts.hits[at]} of "
                    f"{counts.images[position]}) {what}; other classes {rest_rate[at]:.1%} "
                    f"(p = {p_value[at]:.2g}): look at how this class is collected"
                ),
            }
        )
    return findings


def _dominant_issue(
    flags: pd.DataFrame, rejected: NDArray[np.bool_], alpha: float
) -> list[dict[str, Any]]:
    total = int(rejected.sum())
    if total < _FEWEST:
        return []
    has = flags.to_numpy(dtype=bool)
    counts = np.bincount(has.argmax(axis=1)[has.any(axis=1)], minlength=has.shape[1])
    first = int(counts.argmax())
    if counts[first] <= _MAJORITY * total:
        return []
    issue = str(flags.columns[first])
    return [
        _finding_of_the_whole(
            "dominant_issue",
            issue,
            int(counts[first]),
            total,
            _MAJORITY,
            alpha,
            f"of the rejected images have {issue} as their first issue",
            _DIAGNOSES.get(issue, "one cause accounts for most rejections"),
        )
    ]


def _high_rejection_rate(
    rejected: NDArray[np.bool_], max_rate: float, alpha: float
) -> list[dict[str, Any]]:
    count, total = int(rejected.sum()), len(rejected)
    if count <= max_rate * total:
        return []
    return [
        _finding_of_the_whole(
            "high_rejection_rate",
            None,
            count,
            total,
            max_rate,
            alpha,
            "of all images are rejected",
            "the source has a systemic fault, worth mending upstream",
        )
    ]


def _finding_of_the_whole(
    finding: str,
    issue: str | None,
    count: int,
    total: int,
    limit: float,
    alpha: float,
    what: str,
    diagnosis: str,
) -> dict[str, Any]:
    rate = count / total
    p_value = float(binomtest(count, total, limit, alternative="greater").pvalue)
    doubt = "" if p_value < alpha else ", which may be chance"
    return {
        "finding": finding,
        "class": None,
        "issue": issue,
        "rate": rate,
        "rest_rate": limit,
        "p_value": p_value,
        "sentence": (
            f"{rate:.1%} ({count} of {total}) {what}, more than {limit:.0%} "
            f"(p = {p_value:.2g}{doubt}): {diagnosis}"
        ),
    }
