"""One file per command, or per close family of commands."""
