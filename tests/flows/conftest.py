"""One Dask cluster for all tests of flows."""

from tests.dask_cluster import dask_cluster

__all__ = ["dask_cluster"]
