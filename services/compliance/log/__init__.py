"""The audit log: every event's exact bytes, once, in one order, under one Merkle root."""
