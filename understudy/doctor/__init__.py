"""Looks at everything a pipeline needs and says what to do where something is amiss; changes nothing."""
