"""The columnar engine: DuckDB decides what one streaming pass can decide, exactly as Great Expectations would on pandas."""
