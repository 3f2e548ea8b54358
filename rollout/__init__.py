"""The heart: paired evidence, verdicts and the pure reconcile function."""
