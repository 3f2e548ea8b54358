"""Runs that nobody does any more: their worker died with its machine, and Prefect would call them Running for ever.

`understudy up` runs this before it starts the only worker of its own Prefect server, so whatever is under way then is an orphan.
"""

from __future__ import annotations

import os

from adapters.prefect_api import PrefectApi
from adapters.process_log import configure_log
from adapters.settings import read_settings

TAG = "understudy"
_MESSAGE = "The process that did this run is gone: `understudy up` was started anew."


def crash_orphans(api: PrefectApi) -> list[str]:
    """Set every run that is under way to Crashed, so that the slots they held come free; return their ids."""
    found = [run.id for run in api.unfinished(TAG)]
    for run_id in found:
        api.crash(run_id, _MESSAGE)
    return found


def main() -> None:
    """Look once, on the server in PREFECT_API_URL."""
    settings = read_settings()
    log = configure_log("orphans")
    with PrefectApi(settings.prefect_api_url or "", os.environ.get("PREFECT_API_AUTH_STRING")) as api:
        log.info("orphans", crashed=crash_orphans(api))


if __name__ == "__main__":
    main()
