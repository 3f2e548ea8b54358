"""Statistics, one algorithm a file; pure."""
