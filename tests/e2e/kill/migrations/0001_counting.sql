-- The producer's state: how many events of each subject were recorded.
CREATE TABLE counters (subject text PRIMARY KEY, n int NOT NULL);
INSERT INTO counters SELECT 'subject-' || i, 0 FROM generate_series(0, 199) i;

-- The consumer's effect. Nothing here forbids a double or a gap: the test looks for them.
CREATE TABLE applied (place bigint GENERATED ALWAYS AS IDENTITY, subject text NOT NULL, n int NOT NULL);
