"""What is expected of a batch, and which rows are set aside; pure."""
