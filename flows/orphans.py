"""What is left from before: runs that nobody does any more, and runs that were missed.

`understudy up` begins the only worker of its own Prefect server with this, each time it starts or restarts it: whatever is under way
then is an orphan, and whatever should have begun was missed.
"""

from __future__ import annotations

import os
import sys

from adapters.prefect_api import PrefectApi
from adapters.process_log import configure_log
from adapters.settings import read_settings
from flows.missed import TAG, drop_missed

_MESSAGE = "The process that did this run is gone: `understudy up` started its worker anew."


def crash_orphans(api: PrefectApi) -> list[str]:
    """Set every run that is under way to Crashed, so that the slots they held come free; return their ids."""
    found = [run.id for run in api.unfinished(TAG)]
    for run_id in found:
        api.crash(run_id, _MESSAGE)
    return found


def main() -> None:
    """Look once, on the server in PREFECT_API_URL, then become the command that was given, if one was."""
    settings = read_settings()
    log = configure_log("orphans")
    with PrefectApi(settings.prefect_api_url or "", settings.prefect_auth) as api:
        log.info("orphans", crashed=crash_orphans(api))
        log.info("missed", dropped=drop_missed(api, settings))
    then = sys.argv[1:]
    if then:
        os.execv(then[0], then)  # noqa: S606  # the worker's own command, from `understudy up`


if __name__ == "__main__":
    main()
