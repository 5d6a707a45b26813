-- What search needs beside the log's own tables.

-- Nearly all entries are results of probes, so their type has a number that indexes can leave out.
INSERT INTO types (number, type) VALUES (0, 'probe.result');

-- The life of an asset without the results of its probes.
CREATE INDEX events_life ON events (subject, time) WHERE type <> 0;
-- What did not succeed.
CREATE INDEX events_failure ON events (time) WHERE outcome > 0;
-- The days that have enough entries of the kinds that are sought.
CREATE INDEX days_day ON days (day);

-- The commonest question: the places of up to `wanted` entries of one site and type, from a lower place on and before an
-- upper one, the sites that are seen set before they are read. An index is read in the order of time, never sorted; which
-- one is clear without the values, so they are not planned for each time.
CREATE FUNCTION find_of_kind(
    visible text, wanted_site text, wanted_type text, is_down boolean, wanted integer,
    lower_time timestamptz, lower_index bigint, upper_time timestamptz, upper_index bigint
) RETURNS TABLE (found_time timestamptz, found_index bigint) LANGUAGE plpgsql STABLE
    SET search_path FROM CURRENT SET enable_sort = off SET enable_bitmapscan = off
    SET plan_cache_mode = force_generic_plan AS $$
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

-- All that a page of them shows, in one round trip and at one moment: the places of one more than `wanted`, the chunks
-- that hold the others, and the newest checkpoint with its cosignatures.
CREATE FUNCTION page_of_kind(
    visible text, wanted_site text, wanted_type text, is_down boolean, wanted integer,
    lower_time timestamptz, lower_index bigint, upper_time timestamptz, upper_index bigint,
    OUT times timestamptz[], OUT indices bigint[], OUT starts bigint[], OUT bodies bytea[],
    OUT checkpoint_size bigint, OUT checkpoint_note text
) LANGUAGE plpgsql STABLE SET search_path FROM CURRENT SET plan_cache_mode = force_generic_plan AS $$
DECLARE
    wanted_starts bigint[];
BEGIN
    SELECT coalesce(array_agg(found_time), '{}'), coalesce(array_agg(found_index), '{}') INTO times, indices
    FROM find_of_kind(visible, wanted_site, wanted_type, is_down, wanted + 1,
                      lower_time, lower_index, upper_time, upper_index);
    wanted_starts := ARRAY(SELECT DISTINCT index - index % 64 FROM unnest(indices[:wanted]) AS index);
    SELECT coalesce(array_agg(here.start), '{}'), coalesce(array_agg(here.body), '{}') INTO starts, bodies FROM (
        SELECT start, body FROM chunks WHERE start = ANY (wanted_starts)
        UNION ALL SELECT size - size % 64, tail FROM head WHERE size - size % 64 = ANY (wanted_starts)) AS here;
    SELECT c.size, c.note || coalesce((SELECT string_agg(line, '' ORDER BY witness) FROM cosignatures
                                       WHERE cosignatures.size = c.size), '')
    INTO checkpoint_size, checkpoint_note FROM checkpoints c ORDER BY c.size DESC LIMIT 1;
END $$;
