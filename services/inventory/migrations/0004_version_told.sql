-- When somebody last said which version a system runs: an older word that comes later changes nothing.
ALTER TABLE assets ADD COLUMN version_told_at timestamptz;
