"""A warm start for flow runs: a process that has imported everything forks one child for each run."""
