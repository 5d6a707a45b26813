"""Safety of appending: whatever fails, stops or comes twice, the log holds each event once, and has one history."""
