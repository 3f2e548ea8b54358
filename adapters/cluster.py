"""A Dask cluster that somebody has: functions of ours are sent there with their items, and answers come back as they are done."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from typing import Any, TypeVar

from adapters.environment import computed_with
from adapters.settings import Settings
from contracts.compute import Compute
from contracts.errors import OutsideError, UsageError

_CONNECT_SECONDS = 10.0
_RETRIES = 2  # of an item whose worker died

_R = TypeVar("_R")


class Cluster:
    """A connection to a scheduler whose workers have what is here.

    Attributes:
        slots: how much the workers do at once.
    """

    def __init__(self, client: Any, address: str) -> None:
        self._client = client
        self._address = address
        self.slots = 1

    def each(self, function: Callable[..., _R], items: Iterable[Any], *shared: Any) -> Iterator[tuple[int, _R]]:
        """Call `function(item, *shared)` on the workers and yield each item's place and result, in the order in which they are done.

        Args:
            function: of a module that the workers have.
            items: taken and sent as there is room: two for each that the workers do at once are on their way. shared: sent to every
                worker once.

        Raises:
            UnderstudyError: what the function raised.
            OutsideError: workers died, or the scheduler is gone.
        """
        with _told(self._address):
            there = [self._client.scatter(one, broadcast=True, hash=False) for one in shared]
            coming, under_way, done = enumerate(items), dict[Any, int](), _dask().as_completed(loop=self._client.loop)

            def send(room: int) -> None:
                for at, item in islice(coming, room):
                    future = self._client.submit(function, item, *there, pure=False, retries=_RETRIES)
                    under_way[future] = at
                    done.add(future)

            try:
                send(2 * self.slots)
                for future in done:
                    at, result = under_way.pop(future), future.result()
                    send(1)
                    yield at, result
            finally:
                self._client.cancel(list(under_way), force=True)

    def look(self) -> None:
        """Make sure that there are workers, that each has the versions that are here, and note how much they do at once.

        Raises:
            OutsideError: there is no worker.
            UsageError: a worker lacks Understudy, or has other versions.
        """
        with _told(self._address):
            try:
                found = self._client.run(computed_with)
            except ModuleNotFoundError as error:
                raise UsageError(f"The workers at {self._address} lack Understudy: {error}.", "Install it there as it is here.") from error
        if not found:
            raise OutsideError(f"The Dask scheduler at {self._address} has no worker.", "Start some: dask worker ADDRESS")
        here = computed_with()
        for worker, there in found.items():
            other = [f"{mine} here and {theirs} there" for mine, theirs in zip(here, there, strict=True) if mine != theirs]
            if other:
                raise UsageError(f"The Dask worker {worker} answers otherwise: {'; '.join(other)}.", "Install there what is here.")
        self.slots = max(1, sum(self._client.nthreads().values()))


@contextmanager
def cluster_of(settings: Settings, compute: Compute) -> Iterator[Cluster | None]:
    """Give the cluster that the settings or the spec name, or None: compute here.

    Raises:
        UsageError: no address is named, Dask is not installed, or the workers are not as this machine.
        OutsideError: nobody answers there.
    """
    address = settings.dask or compute.address
    if settings.dask is None and compute.engine == "local":
        yield None
        return
    if address is None:
        raise UsageError(
            "compute.engine is dask, and no address is named.", "Write compute.address in pipeline.yaml, or set UNDERSTUDY_DASK."
        )
    with _told(address):
        try:
            client = _dask().Client(address, timeout=_CONNECT_SECONDS, set_as_default=False)
        except ValueError as error:
            raise UsageError(f"'{address}' is no address of a Dask scheduler: {error}.", "Write it as tcp://HOST:8786.") from error
    try:
        cluster = Cluster(client, address)
        cluster.look()
        yield cluster
    finally:
        client.close()


def _dask() -> Any:
    try:
        return importlib.import_module("distributed")  # its functions have no types
    except ImportError as error:
        raise UsageError("Dask is not installed here.", "Install it: pip install 'understudy[dask]'") from error


@contextmanager
def _told(address: str) -> Iterator[None]:
    """Turn what Dask raises into an error that says where; what a function of ours raised stays as it is."""
    dask = _dask()
    try:
        yield
    except (dask.KilledWorker, dask.comm.CommClosedError, OSError, TimeoutError) as error:
        said = (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")
        raise OutsideError(
            f"The Dask cluster at {address} failed: {said}.", "Look at its scheduler and workers; then try again."
        ) from error
