"""The protocol's messages and service, compiled from open_inference.proto when the gateway starts."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

SERVICE = "inference.GRPCInferenceService"
_ROOT = Path(__file__).parents[3]
_PROTO = "serving/gateway/grpc/open_inference.proto"


@dataclass(frozen=True, slots=True)
class Protocol:
    """`messages` has a class for each message; `services` what registers an implementation."""

    messages: Any
    services: Any


@cache
def protocol() -> Protocol:
    """Compile the protocol; the first call takes a third of a second."""
    import sys

    import grpc
    import grpc_tools  # noqa: F401  # importing it is what teaches grpc to compile

    if str(_ROOT) not in sys.path:
        sys.path.append(str(_ROOT))  # where the compiler looks for the file
    return Protocol(*grpc.protos_and_services(_PROTO))
