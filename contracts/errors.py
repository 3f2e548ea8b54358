"""Every error Understudy raises on purpose; the tree is drawn here.

UnderstudyError
├── UsageError            exit 2  wrong use or bad configuration
│   └── SpecError                 a pipeline's files are wrong
├── Refused               exit 1  the answer is no
│   ├── BatchRefused              too many rows failed the suite, or a batch-level expectation did
│   ├── GateNotMet                an offline gate said no
│   ├── NotReproducible           a refit gave other bytes
│   └── DigestMismatch            the bytes are not the ones approved
├── OutsideError          exit 3  something outside failed; trying again may help
└── Conflict              exit 3  somebody else wrote first; read again
"""

from __future__ import annotations

from collections.abc import Sequence

from contracts.check_line import CheckLine
from contracts.verdict import Verdict


class UnderstudyError(Exception):
    """What happened, to what, and what to do about it.

    Args:
        message: one plain sentence that says what happened and to what.
        remedy: one plain sentence that says what to do; may be empty.
    """

    exit_code = 3
    retryable = False

    def __init__(self, message: str, remedy: str = "") -> None:
        super().__init__(message if not remedy else f"{message} {remedy}")
        self.message = message
        self.remedy = remedy


class UsageError(UnderstudyError):
    """Wrong use or bad configuration."""

    exit_code = 2


class SpecError(UsageError):
    """A pipeline's files are wrong; the message names file, line and key."""


class Refused(UnderstudyError):
    """The work was done and the answer is no."""

    exit_code = 1


class BatchRefused(Refused):
    """A batch of data was refused as a whole; no snapshot was made of it.

    Args:
        rows: how many rows the suite saw of it.
        verdicts: all that was said of it, what refuses it among them.
        checks: the same as people read it.
        docs: the page of the suite's results, or None.
    """

    def __init__(
        self,
        message: str,
        remedy: str = "",
        *,
        rows: int = 0,
        verdicts: Sequence[Verdict] = (),
        checks: Sequence[CheckLine] = (),
        docs: str | None = None,
    ) -> None:
        super().__init__(message, remedy)
        self.rows, self.verdicts, self.checks, self.docs = rows, tuple(verdicts), tuple(checks), docs


class GateNotMet(Refused):
    """A candidate did not meet an offline gate."""


class NotReproducible(Refused):
    """A refit from lineage gave other bytes than those registered."""


class DigestMismatch(Refused):
    """Bytes on disk are not the bytes that were approved; they are not loaded."""


class OutsideError(UnderstudyError):
    """Something outside failed (a server, a disk, a network); trying again may help."""

    exit_code = 3
    retryable = True


class Conflict(UnderstudyError):
    """Compare-and-swap lost: somebody else wrote first; read again and decide again."""

    exit_code = 3
    retryable = True
