"""The archive: closed segments become Parquet, go to the object store, and leave when nobody needs them; one pass, then it ends."""
