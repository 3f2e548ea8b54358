"""Everything that `understudy up` starts, as child processes of one process."""
