"""The plain functions behind both the flows and dvc.yaml, one module a stage."""
