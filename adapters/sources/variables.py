"""Reads `${NAME}` in a source's address from the environment, where secrets live."""

from __future__ import annotations

import os
import re

from contracts.errors import SpecError

_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")


def expanded(text: str, key: str) -> str:
    """Return a text with the values of the variables it names.

    Args:
        text: with any number of `${NAME}`.
        key: where it stands in pipeline.yaml, for the message.

    Raises:
        SpecError: a variable is unset.
    """
    return _VARIABLE.sub(lambda found: variable(found[1], key), text)


def variable(name: str, key: str) -> str:
    """Return an environment variable's value.

    Raises:
        SpecError: it is unset.
    """
    value = os.environ.get(name)
    if value is None:
        raise SpecError(f"{key} names the environment variable {name}, which is unset.", f"Set it: export {name}=…")
    return value
