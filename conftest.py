"""Leaves out the modules and pages whose optional packages are not installed."""

from importlib.util import find_spec

_NEEDS = {
    "imagequality/torch.py": ("torch",),
    "docs/inputs.md": ("fsspec", "datasets"),
    "docs/scaling.md": ("dask", "distributed"),
    "imagequality/dask/*": ("dask", "distributed"),
    "docs/store.md": ("pyarrow",),
    "imagequality/plots/*": ("matplotlib",),
    "docs/plots.md": ("matplotlib",),
    "docs/report.md": ("jinja2",),
    "imagequality/report/_report.py": ("jinja2",),
}

collect_ignore_glob = [
    pattern for pattern, packages in _NEEDS.items() if not all(map(find_spec, packages))
]
