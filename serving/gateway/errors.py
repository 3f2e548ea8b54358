"""What the gateway raises on purpose, beside BadRequest (serving.columns).

UsageError                 the caller can mend it
├── BadRequest       400
├── NotKnown         401
├── NotAllowed       403
├── NotServed        404
└── TooLarge         413
OutsideError               trying again may help
├── Overloaded       429
└── NotReady         503
    └── TooLate      503
AnswerFailed         500   our fault; the cause is in the log, never in the answer
"""

from __future__ import annotations

from contracts.errors import OutsideError, UnderstudyError, UsageError


class NotServed(UsageError):
    """No pipeline of that name is served here."""


class NotKnown(UsageError):
    """The call carries no token, or one that is not in the tokens file."""


class NotAllowed(UsageError):
    """The token is known and its scopes do not cover the call."""


class TooLarge(UsageError):
    """The request is beyond a limit of size."""


class Overloaded(OutsideError):
    """More rows wait than the gateway lets wait."""


class NotReady(OutsideError):
    """What was asked for cannot be done now, and can be soon."""


class TooLate(NotReady):
    """The caller would not wait so long, or has not; no fault of the version, which is not held against it."""


class AnswerFailed(UnderstudyError):
    """The version could not answer a request that was in order."""
