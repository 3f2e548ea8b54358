"""Who listens on a loopback port: a server that answers is ours only if a process of ours holds the port (Linux, by /proc)."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

_LISTENS = "0A"


def listens(group: int, url: str) -> bool:
    """Return whether a process of a process group listens on an address's port."""
    wanted = {f"socket:[{inode}]" for inode in _inodes(urlsplit(url).port or 80)}
    return bool(wanted) and any(wanted & _sockets(process) for process in _processes(group))


def _inodes(port: int) -> set[str]:
    found = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        with suppress(FileNotFoundError):  # a machine without IPv6
            rows = [line.split() for line in Path(table).read_text().splitlines()[1:]]
            found |= {row[9] for row in rows if row[3] == _LISTENS and int(row[1].rpartition(":")[2], 16) == port}
    return found


def _processes(group: int) -> list[Path]:
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it ended while we looked
            if int((process / "stat").read_text().rpartition(")")[2].split()[2]) == group:
                found.append(process)
    return found


def _sockets(process: Path) -> set[str]:
    found = set()
    with suppress(OSError):  # it ended while we looked
        for one in (process / "fd").iterdir():
            with suppress(OSError):
                found.add(str(one.readlink()))
    return found
