"""What a monitor judges: drift, outliers, performance; pure."""
