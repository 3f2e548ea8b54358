"""The registry: versions, their lineage, and which of them is champion, candidate and previous; MLflow keeps it."""

from adapters.registry.records import Registered, Registration
from adapters.registry.store import Registry

__all__ = ["Registered", "Registration", "Registry"]
