"""Proposes a pipeline from a sample of its data, and says why."""
