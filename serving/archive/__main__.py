"""`python -m serving.archive`: one pass over all traffic logs; the shadow process starts it every minute where there is something to do."""

from __future__ import annotations

import os
import resource
import sys

from adapters.process_log import configure_log
from adapters.settings import read_settings
from contracts.errors import UnderstudyError

_NICENESS = 10  # users' answers come first
_MEMORY_BYTES = 4 * 1024**3  # address space


def main() -> None:
    """Do one pass."""
    os.nice(_NICENESS)
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY_BYTES, _MEMORY_BYTES))
    log = configure_log("archive")
    try:
        from serving.archive.once import archive

        archive(read_settings(), log)
    except UnderstudyError as error:
        print(error, file=sys.stderr)
        raise SystemExit(error.exit_code) from error


if __name__ == "__main__":
    main()
