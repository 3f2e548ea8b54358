"""A Dask cluster for the files that ask for one."""

from tests.dask_cluster import dask_cluster

__all__ = ["dask_cluster"]
