"""Batch scoring in parts: what there is to answer, one part answered, and the job that survives a kill."""
