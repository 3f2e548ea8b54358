"""The monitors beside drift libraries: the windows, the judge, the picture; the peers themselves are in benchmarks/peers."""
