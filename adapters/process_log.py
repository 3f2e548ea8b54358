"""How a long-running process of ours logs: one line of JSON for each event, on stderr."""

from __future__ import annotations

import logging
import sys

import structlog


def configure_log(process: str) -> structlog.typing.FilteringBoundLogger:
    """Set up logging for this process and return its logger; libraries' warnings go to the same place, as plain lines.

    Args:
        process: the name that stands in every line, e.g. `webhook`.
    """
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.ExceptionRenderer(structlog.tracebacks.ExceptionDictTransformer(show_locals=False)),  # locals hold secrets
            structlog.processors.JSONRenderer(ensure_ascii=False),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    logger: structlog.typing.FilteringBoundLogger = structlog.get_logger(process=process)
    return logger
