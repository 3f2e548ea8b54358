"""Rehearse the policy: a pipeline's own history, walked in simulated time through the functions that decide live."""
