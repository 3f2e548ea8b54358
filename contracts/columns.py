"""Names of the columns that Understudy adds to a user's table."""

EVENT_TIME = "event_time"  # when the row happened, datetime64[us, UTC]; every snapshot has it
LABEL_TIME = "label_time"  # when its label was known, datetime64[us, UTC]
RESERVED = (EVENT_TIME, LABEL_TIME)
REASONS = "quarantine_reasons"  # why a row was set aside; only the rows that were have it
