-- What search needs beside the log's own tables.

-- Nearly all entries are results of probes, so their type has a number that indexes can leave out.
INSERT INTO types (number, type) VALUES (0, 'probe.result');

-- The life of an asset without the results of its probes.
CREATE INDEX events_life ON events (subject, time) WHERE type <> 0;
-- What did not succeed.
CREATE INDEX events_failure ON events (time) WHERE outcome > 0;
-- The days that have enough entries of the kinds that are sought.
CREATE INDEX days_day ON days (day);
