"""Checks of a whole batch against what its pipeline's history leads to expect; one a file, all pure."""
