"""The command: init, up, retrain, status and the rest."""
