"""Features, fit, evaluate, gates and the package of a model; pure."""
