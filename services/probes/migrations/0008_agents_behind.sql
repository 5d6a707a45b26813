-- Since when an agent has had more to bring than it brought; null where it had brought all.
ALTER TABLE agents ADD COLUMN behind_since timestamptz;
