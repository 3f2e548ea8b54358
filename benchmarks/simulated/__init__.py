"""Simulated rollouts for benchmarks/decisions.py."""
