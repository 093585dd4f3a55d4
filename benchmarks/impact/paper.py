"""The figures of the paper's Tables B-I to B-VII, by condition."""

from __future__ import annotations

from typing import NamedTuple


class Condition(NamedTuple):
    """A flaw, its strength (0: it has none) and the share of the training images that have it."""

    flaw: str
    level: float = 0.0
    share: float = 1.0


class Column(NamedTuple):
    """A column of a table: its title and the condition of each row."""

    title: str
    conditions: list[Condition]


class Table(NamedTuple):
    """A table of the paper's appendix B."""

    name: str
    title: str
    configuration: str
    row_title: str
    rows: list[str]
    columns: list[Column]


BASELINE = Condition("none", 0.0, 0.0)
SHARES = [0.04, 0.08, 0.12, 0.16, 0.20, 0.24, 0.25, 0.50, 0.75, 1.00]

BRIGHTNESS = {
    **{0.05: 0.6459, 0.25: 0.7952, 0.50: 0.8398, 0.75: 0.8744, 1.25: 0.8721, 1.50: 0.8253},
    **{1.75: 0.8427, 2.00: 0.8278, 2.25: 0.7411, 2.50: 0.6975, 2.75: 0.6909, 3.00: 0.6890},
    **{3.25: 0.5999, 3.50: 0.5417},
}
KERNELS = [3, 5, 7, 9, 11]
BLUR = {
    "average": [0.8073, 0.5470, 0.4603, 0.2947, 0.2581],
    "gaussian": [0.8400, 0.7767, 0.6367, 0.5471, 0.4651],
    "median": [0.8499, 0.7791, 0.6540, 0.5101, 0.3711],
}
SIZES = {
    **{27: 0.8663, 22: 0.8468, 17: 0.8344, 12: 0.7936, 7: 0.7031, 6: 0.6235, 5: 0.3784},
    **{4: 0.3210},
}
OTHERS = {
    "Grayscale": (Condition("grayscale"), 0.8393),
    "Low information": (Condition("low_information"), 0.3096),
    "Exact duplicates": (Condition("exact_duplicates", 0.0, 0.5), 0.8454),
    "Near duplicates (0.8–1.2)": (Condition("near_duplicates", 0.2, 0.5), 0.8371),
    "Near duplicates (0.5–1.5)": (Condition("near_duplicates", 0.5, 0.5), 0.8283),
}
# fmt: off
BY_SHARE = {  # in the order of SHARES
    ("brightness", 3.0): [0.8882, 0.8759, 0.8703, 0.8499, 0.8516, 0.8305, 0.8299, 0.7838, 0.6585, 0.6890],  # noqa: E501
    ("brightness", 2.0): [0.8855, 0.8867, 0.8703, 0.8654, 0.8499, 0.8433, 0.8356, 0.8034, 0.7101, 0.8278],  # noqa: E501
    ("brightness", 0.25): [0.8848, 0.8815, 0.8721, 0.8702, 0.8608, 0.8537, 0.8455, 0.8217, 0.7627, 0.7952],  # noqa: E501
    ("brightness", 0.05): [0.8811, 0.8761, 0.8610, 0.8586, 0.8560, 0.8504, 0.8404, 0.8067, 0.6488, 0.6459],  # noqa: E501
    ("blur_gaussian", 5.0): [0.8881, 0.8853, 0.8726, 0.8673, 0.8625, 0.8557, 0.8402, 0.8413, 0.8076, 0.7767],  # noqa: E501
    ("blur_gaussian", 7.0): [0.8824, 0.8707, 0.8726, 0.8679, 0.8558, 0.8480, 0.8481, 0.8239, 0.7813, 0.6367],  # noqa: E501
    ("size", 12.0): [0.8792, 0.8799, 0.8773, 0.8654, 0.8659, 0.8600, 0.8591, 0.8353, 0.7991, 0.7936],  # noqa: E501
    ("size", 7.0): [0.8878, 0.8786, 0.8726, 0.8690, 0.8574, 0.8530, 0.8443, 0.8181, 0.7642, 0.7031],
    ("low_information", 0.0): [0.8823, 0.8647, 0.8584, 0.8371, 0.8457, 0.8337, 0.8213, 0.7525, 0.5053, 0.3096],  # noqa: E501
}
# fmt: on


def percent(share: float) -> str:
    """Return a share for people, such as ``24 %``."""
    return f"{100 * share:.0f} %"


def _accuracies() -> dict[Condition, float]:
    found = {BASELINE: 0.8852}
    found |= {Condition("brightness", level): value for level, value in BRIGHTNESS.items()}
    for kernel, values in BLUR.items():
        for size, value in zip(KERNELS, values, strict=True):
            found[Condition(f"blur_{kernel}", float(size))] = value
    found |= {Condition("size", float(side)): value for side, value in SIZES.items()}
    found |= dict(OTHERS.values())
    for (flaw, level), values in BY_SHARE.items():
        for share, value in zip(SHARES, values, strict=True):
            found[Condition(flaw, level, share)] = value
    return found


ACCURACY = _accuracies()


def _share_column(title: str, flaw: str, level: float = 0.0) -> Column:
    return Column(title, [Condition(flaw, level, share) for share in SHARES])


_SHARE_ROWS = [percent(share) for share in SHARES]

TABLES = [
    Table(
        "B-I",
        "brightness",
        "table_b1_brightness",
        "every pixel ×",
        [f"{level:g}" for level in BRIGHTNESS],
        [Column("accuracy", [Condition("brightness", level) for level in BRIGHTNESS])],
    ),
    Table(
        "B-II",
        "blur",
        "table_b2_blur",
        "kernel",
        [f"{size}×{size}" for size in KERNELS],
        [
            Column(
                "Gaussian" if kernel == "gaussian" else kernel,
                [Condition(f"blur_{kernel}", float(size)) for size in KERNELS],
            )
            for kernel in BLUR
        ],
    ),
    Table(
        "B-III",
        "size",
        "table_b3_size",
        "shrunk to",
        [f"{side}×{side}" for side in SIZES],
        [Column("accuracy", [Condition("size", float(side)) for side in SIZES])],
    ),
    Table(
        "B-IV",
        "grayscale, low information, duplicates",
        "table_b4_others",
        "flaw",
        list(OTHERS),
        [Column("accuracy", [condition for condition, _ in OTHERS.values()])],
    ),
    Table(
        "B-V",
        "share of light and dark images",
        "table_b5_light_dark_share",
        "share",
        _SHARE_ROWS,
        [_share_column(f"× {level:g}", "brightness", level) for level in (3.0, 2.0, 0.25, 0.05)],
    ),
    Table(
        "B-VI",
        "share of blurred and of resized images",
        "table_b6_blur_size_share",
        "share",
        _SHARE_ROWS,
        [
            *(_share_column(f"Gaussian {k}×{k}", "blur_gaussian", float(k)) for k in (5, 7)),
            *(_share_column(f"size {side}×{side}", "size", float(side)) for side in (12, 7)),
        ],
    ),
    Table(
        "B-VII",
        "share of images with low information",
        "table_b7_low_information_share",
        "share",
        _SHARE_ROWS,
        [_share_column("accuracy", "low_information")],
    ),
]
