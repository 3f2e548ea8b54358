"""One page of metrics for all workers on a port: each keeps its own in a file, whoever is asked shows all of them by worker.

Whoever is asked writes its own file first, so what is shown never goes back, whichever worker answers the next scrape.
"""

from __future__ import annotations

import threading
from contextlib import suppress
from pathlib import Path

from adapters.whole_file import write_whole
from serving.gateway.metrics import Meters
from serving.gateway.workers import Place

_EVERY_SECONDS = 1.0


class Pages:
    """The pages of the workers of one gateway.

    Args:
        folder: of all of them; made where it is absent.
    """

    def __init__(self, folder: Path, place: Place, meters: Meters) -> None:
        self._folder, self._place, self._meters = folder, place, meters
        self._stop = threading.Event()

    def start(self) -> None:
        """Keep this worker's page once a second, where there are others to show it."""
        if self._place.count > 1:
            (self._folder / f"{self._place.number}.prom").unlink(missing_ok=True)  # of the run before
            threading.Thread(target=self._work, name="metrics", daemon=True).start()

    def stop(self) -> None:
        """Keep it no more."""
        self._stop.set()

    def _work(self) -> None:
        while not self._stop.is_set():
            with suppress(OSError):  # a full disk: the page is a second older
                self.write()
            self._stop.wait(_EVERY_SECONDS)

    def write(self) -> None:
        """Keep this worker's page.

        Raises:
            OSError: it could not be written.
        """
        write_whole(self._folder / f"{self._place.number}.prom", self._meters.page())

    def page(self) -> bytes:
        """Return everything in Prometheus' text format; with several workers each series has the label `worker`."""
        if self._place.count == 1:
            return self._meters.page()
        self.write()
        families: dict[str, list[str]] = {}
        for number in range(self._place.count):
            path = self._folder / f"{number}.prom"
            if path.exists():
                _add(families, path.read_text(encoding="utf-8"), number)
        return ("\n".join(line for lines in families.values() for line in lines) + "\n").encode()


def _add(families: dict[str, list[str]], text: str, worker: int) -> None:
    """Put a worker's series behind those of the others in each family; a family's comments stand once."""
    lines: list[str] = []
    known = False
    for line in text.splitlines():
        if line.startswith("# HELP "):
            name = line.split(" ", 3)[2]
            known = name in families
            lines = families.setdefault(name, [])
        if line.startswith("#"):
            if not known:
                lines.append(line)
        elif line:
            lines.append(labelled(line, worker))


def labelled(line: str, worker: int) -> str:
    """Return a series with the label `worker` put first.

    >>> labelled('requests_total{code="200"} 3.0', 1), labelled("up 1.0", 0)
    ('requests_total{worker="1",code="200"} 3.0', 'up{worker="0"} 1.0')
    """
    name, brace, rest = line.partition("{")
    if brace:
        return f'{name}{{worker="{worker}",{rest}'
    name, _, value = line.partition(" ")
    return f'{name}{{worker="{worker}"}} {value}'
