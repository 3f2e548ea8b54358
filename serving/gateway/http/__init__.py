"""The edge: HTTP in, data plane behind it, HTTP out."""
