"""One module per outside system; each knows contracts only."""
