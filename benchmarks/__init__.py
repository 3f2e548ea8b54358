"""Measurements of Understudy beside its peers, each in this run on this machine: `python -m benchmarks.NAME`."""
