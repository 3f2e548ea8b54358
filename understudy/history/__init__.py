"""The decisions of a pipeline as one page."""
