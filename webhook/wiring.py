"""The composition root of the webhook receiver: settings in, a running server out."""

from __future__ import annotations

import signal
import sys

import uvicorn

from adapters.ledger import Ledger
from adapters.prefect_api import PrefectApi
from adapters.process_log import configure_log
from adapters.settings import Settings
from webhook.app import Hooks, make_app
from webhook.receiver import Receiver
from webhook.sender import checked_secret

STOP_SECONDS = 3
_IDLE_SECONDS = 15


def serve(settings: Settings, host: str, port: int) -> None:
    """Answer until SIGTERM or SIGINT.

    Raises:
        UsageError: there is no secret, or one that can be guessed.
        OutsideError: the ledger cannot be opened.
    """
    secret = checked_secret(settings.webhook_secret)
    log = configure_log("webhook")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # uvicorn stops first, then raises the signal again
    ledger = Ledger(settings.ledger_url)
    prefect = PrefectApi(settings.prefect_api_url, settings.prefect_auth) if settings.prefect_api_url else None
    try:
        hooks = Hooks(Receiver(settings, ledger, prefect), secret, log)
        log.info("listening", host=host, port=port, prefect=settings.prefect_api_url)
        uvicorn.run(
            make_app(hooks), host=host, port=port, log_config=None, access_log=False, server_header=False,
            timeout_graceful_shutdown=STOP_SECONDS, timeout_keep_alive=_IDLE_SECONDS,
        )  # fmt: skip
    finally:
        if prefect is not None:
            prefect.close()
        ledger.close()
