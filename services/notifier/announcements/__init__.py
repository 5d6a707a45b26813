"""Tells people of maintenance windows: in time, once, and in their calendars."""
