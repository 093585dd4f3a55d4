"""Out to a cluster: measuring, and duplicates of collections that outgrow one machine, on Dask.

Needs the extra: ``pip install 'imagequality[dask]'``. What fits one machine's memory needs none
of it: ``with joblib.parallel_config(backend="dask"): imagequality.measure(paths)`` measures on a
cluster and gives the ordinary table.
"""

try:
    import dask.dataframe as _needed  # noqa: F401
except ImportError as error:
    raise ImportError("imagequality.dask needs Dask: pip install 'imagequality[dask]'") from error

from ._duplicates import exact_duplicate_groups, near_duplicate_groups
from ._files import measure_to_parquet
from ._measuring import measure

__all__ = ["exact_duplicate_groups", "measure", "measure_to_parquet", "near_duplicate_groups"]
