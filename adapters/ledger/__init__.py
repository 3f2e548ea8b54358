"""The ledger: where every rollout stands, every decision ever made, and what waits; one SQL schema."""

from adapters.ledger.store import Ledger

__all__ = ["Ledger"]
