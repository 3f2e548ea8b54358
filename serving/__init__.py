"""The gateway that answers users and the shadow process that reads its log."""
