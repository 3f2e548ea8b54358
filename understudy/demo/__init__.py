"""The demonstration: the whole loop with every real part, told as it happens, ending in a report."""
