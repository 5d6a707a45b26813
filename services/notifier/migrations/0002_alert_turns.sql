-- The turns for the worse that an open alert has taken, by what they are.
ALTER TABLE alerts ADD COLUMN turns jsonb NOT NULL DEFAULT '{}';
