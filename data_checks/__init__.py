"""Suites, quarantine and what they say about a batch; pure."""
