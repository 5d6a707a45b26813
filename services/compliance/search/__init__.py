"""Search: finds entries of the audit log by what their events say."""
