"""The gateway beside other servers: the same models, the same requests, the same load."""
