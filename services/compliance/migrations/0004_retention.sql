-- How long entries stay. NULL stands for every site or type; the most specific policy of an entry counts.
CREATE TABLE retention_policies (
    id      text    PRIMARY KEY,
    site_id text,
    type    text,
    days    integer NOT NULL CHECK (days > 0),
    reason  text,
    version integer NOT NULL,
    UNIQUE NULLS NOT DISTINCT (site_id, type)
);

-- What must stay, whatever the policies say, until it is released. NULL leaves a part open.
CREATE TABLE legal_holds (
    id             text        PRIMARY KEY,
    site_id        text,
    type           text,
    subject        text,
    from_time      timestamptz,
    to_time        timestamptz,
    reason         text        NOT NULL,
    placed_by      text        NOT NULL,
    placed_at      timestamptz NOT NULL,
    released_by    text,
    released_at    timestamptz,
    release_reason text,
    version        integer     NOT NULL
);

-- Where the entries of a partition lie that are no longer here.
ALTER TABLE partitions ADD location text, ADD pruned_at timestamptz;

-- What is to happen to a partition, and what has: one row for each that ever was to leave the database.
CREATE TABLE archives (
    partition      bigint      PRIMARY KEY REFERENCES partitions,
    state          text        NOT NULL CHECK (state IN ('planned', 'archived', 'pruned', 'restoring', 'restored')),
    asked_by       text        NOT NULL,
    asked_at       timestamptz NOT NULL,
    correlation_id text        NOT NULL,
    location       text,
    root           bytea       CHECK (octet_length(root) = 32),
    restored_until timestamptz,
    fault          text
);

-- The leaf hashes of what was pruned: with them every proof over the log can still be made.
CREATE TABLE leaf_hashes (
    start  bigint PRIMARY KEY,
    hashes bytea STORAGE EXTERNAL NOT NULL CHECK (octet_length(hashes) = 2048)
);

-- The digest that stands for a name in the index (services/compliance/log/index.py).
CREATE FUNCTION digest(name text) RETURNS bigint LANGUAGE sql IMMUTABLE AS $$
    SELECT ('x' || encode(substring(sha256(convert_to(name, 'UTF8')) FROM 1 FOR 8), 'hex'))::bit(64)::bigint
$$;

-- The sites and types that occur in a part of the log: from each one in the index to the next, for all that lies between.
CREATE FUNCTION kinds_between(first bigint, upto bigint) RETURNS TABLE (site_id text, type text) LANGUAGE sql STABLE
    SET enable_seqscan = off SET enable_bitmapscan = off SET enable_sort = off AS $$
    WITH RECURSIVE kind AS (
        (SELECT e.site, e.type FROM events e WHERE e.index >= first AND e.index < upto ORDER BY e.site, e.type LIMIT 1)
        UNION ALL
        SELECT later.site, later.type FROM kind, LATERAL (
            (SELECT e.site, e.type FROM events e WHERE e.index >= first AND e.index < upto
             AND e.site = kind.site AND e.type > kind.type ORDER BY e.type LIMIT 1)
            UNION ALL
            (SELECT e.site, e.type FROM events e WHERE e.index >= first AND e.index < upto
             AND e.site > kind.site ORDER BY e.site, e.type LIMIT 1)
            LIMIT 1) later)
    SELECT s.site_id, t.type FROM kind k JOIN sites s ON s.number = k.site JOIN types t ON t.number = k.type
$$;

-- The subjects of holds that occur in a part of the log.
CREATE FUNCTION held_between(first bigint, upto bigint) RETURNS SETOF text LANGUAGE sql STABLE
    SET enable_seqscan = off SET enable_bitmapscan = off AS $$
    SELECT h.subject FROM (SELECT DISTINCT subject, digest(subject) AS digest FROM legal_holds
                           WHERE released_at IS NULL AND subject IS NOT NULL OFFSET 0) h
    WHERE EXISTS (SELECT FROM events e WHERE e.index >= first AND e.index < upto AND e.subject = h.digest LIMIT 1)
       OR EXISTS (SELECT FROM mentions m WHERE m.index >= first AND m.index < upto AND m.subject = h.digest LIMIT 1)
$$;

-- Drops a partition whole, but for its leaf hashes and its row in `partitions`. It asks for itself whether it may: the
-- log must have grown past it, it must be archived, and no hold may touch its sites, types and times.
CREATE FUNCTION prune_partition(wanted bigint) RETURNS void LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = compliance, pg_temp AS $$
DECLARE
    width bigint := (SELECT partition_entries FROM head);
    part  text;
BEGIN
    IF (SELECT size FROM head) < (wanted + 1) * width THEN
        RAISE EXCEPTION 'partition % is not complete', wanted;
    END IF;
    IF NOT EXISTS (SELECT FROM archives WHERE partition = wanted AND state IN ('archived', 'restored')) THEN
        RAISE EXCEPTION 'partition % is not archived', wanted;
    END IF;
    IF EXISTS (
        SELECT FROM legal_holds h JOIN partitions p ON p.number = wanted
        WHERE h.released_at IS NULL
          AND coalesce(h.from_time, '-infinity') <= p.last_time AND coalesce(h.to_time, 'infinity') > p.first_time
          AND (h.subject IS NULL OR h.subject IN (SELECT held_between(wanted * width, (wanted + 1) * width)))
          AND EXISTS (SELECT FROM kinds_between(wanted * width, (wanted + 1) * width) k
                      WHERE k.site_id = coalesce(h.site_id, k.site_id) AND k.type = coalesce(h.type, k.type)))
    THEN
        RAISE EXCEPTION 'partition % is held', wanted;
    END IF;
    INSERT INTO leaf_hashes (start, hashes)
        SELECT start, hashes FROM chunks WHERE start >= wanted * width AND start < (wanted + 1) * width
        ON CONFLICT DO NOTHING;
    CREATE TEMPORARY TABLE gone ON COMMIT DROP AS
        SELECT (time AT TIME ZONE 'UTC')::date AS day, site, type, count(*) AS count FROM events
        WHERE index >= wanted * width AND index < (wanted + 1) * width GROUP BY 1, 2, 3;
    -- From here on no batch is appended: it would lock the same days in another order.
    PERFORM FROM head FOR UPDATE;
    UPDATE days SET count = days.count - gone.count FROM gone
        WHERE days.day = gone.day AND days.site = gone.site AND days.type = gone.type;
    DELETE FROM days WHERE count = 0;
    FOREACH part IN ARRAY ARRAY['chunks', 'events', 'mentions'] LOOP
        EXECUTE format('DROP TABLE %I', part || '_' || wanted);
    END LOOP;
    UPDATE archives SET state = 'pruned', restored_until = NULL WHERE partition = wanted;
    UPDATE partitions SET pruned_at = clock_timestamp(),
                          location = (SELECT location FROM archives WHERE partition = wanted) WHERE number = wanted;
END $$;
REVOKE ALL ON FUNCTION prune_partition FROM PUBLIC;
GRANT EXECUTE ON FUNCTION prune_partition TO steward_compliance;

-- Makes room again for the entries of a pruned partition.
CREATE FUNCTION reopen_partition(wanted bigint) RETURNS void LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = compliance, pg_temp AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM archives WHERE partition = wanted AND state = 'restoring') THEN
        RAISE EXCEPTION 'partition % is not to be restored', wanted;
    END IF;
    PERFORM make_partition(wanted);
    UPDATE partitions SET pruned_at = NULL, location = NULL WHERE number = wanted;
END $$;
REVOKE ALL ON FUNCTION reopen_partition FROM PUBLIC;
GRANT EXECUTE ON FUNCTION reopen_partition TO steward_compliance;

REVOKE INSERT, UPDATE, DELETE, TRUNCATE ON leaf_hashes FROM steward_compliance;
REVOKE DELETE, TRUNCATE ON archives, legal_holds FROM steward_compliance;
