"""The receiver that turns an alert into one Prefect run."""
