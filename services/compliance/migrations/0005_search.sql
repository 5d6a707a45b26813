-- What search needs beside the log's own tables.

-- Nearly all entries are results of probes, so their type has a number that indexes can leave out.
INSERT INTO types (number, type) VALUES (0, 'probe.result');

-- The life of an asset without the results of its probes.
CREATE INDEX events_life ON events (subject, time) WHERE type <> 0;
-- What did not succeed.
CREATE INDEX events_failure ON events (time) WHERE outcome > 0;
-- The days that have enough entries of the kinds that are sought.
CREATE INDEX days_day ON days (day);

-- The commonest question in one round trip: up to `wanted` entries of one site and type, from a lower place on and before
-- an upper one, the sites that are seen set before they are read. An index is read in the order of time, never sorted.
CREATE FUNCTION find_of_kind(
    visible text, wanted_site text, wanted_type text, is_down boolean, wanted integer,
    lower_time timestamptz, lower_index bigint, upper_time timestamptz, upper_index bigint
) RETURNS TABLE (found_time timestamptz, found_index bigint) LANGUAGE plpgsql
    SET search_path FROM CURRENT SET enable_sort = off SET enable_bitmapscan = off AS $$
DECLARE
    site_number smallint := (SELECT number FROM sites WHERE site_id = wanted_site);
    type_number smallint := (SELECT number FROM types WHERE types.type = wanted_type);
    first_index bigint;
    end_index   bigint;
BEGIN
    PERFORM set_config('steward.sites', visible, true);
    SELECT min(number) * partition_entries, (max(number) + 1) * partition_entries INTO first_index, end_index
    FROM head JOIN partitions ON last_time >= lower_time AND first_time <= upper_time GROUP BY partition_entries;
    IF is_down THEN
        RETURN QUERY SELECT time, index FROM events
            WHERE site = site_number AND type = type_number AND index >= first_index AND index < end_index
              AND time >= lower_time AND (time, index) >= (lower_time, lower_index)
              AND time <= upper_time AND (time, index) < (upper_time, upper_index)
            ORDER BY time DESC, index DESC LIMIT wanted;
    ELSE
        RETURN QUERY SELECT time, index FROM events
            WHERE site = site_number AND type = type_number AND index >= first_index AND index < end_index
              AND time >= lower_time AND (time, index) >= (lower_time, lower_index)
              AND time <= upper_time AND (time, index) < (upper_time, upper_index)
            ORDER BY time, index LIMIT wanted;
    END IF;
END $$;
