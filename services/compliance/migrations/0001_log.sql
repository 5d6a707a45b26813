-- The audit log: entries with their hashes, the tree over them, and what they are found by. Decision 0001 says why.

-- One row: how far the log has come, who may append, and the entries that do not fill a chunk yet.
CREATE TABLE head (
    single            boolean PRIMARY KEY DEFAULT true CHECK (single),
    size              bigint  NOT NULL DEFAULT 0,
    tail              bytea   NOT NULL DEFAULT '',
    tail_hashes       bytea   NOT NULL DEFAULT '',
    recorded_at       timestamptz,
    partition_entries bigint  NOT NULL DEFAULT 4194304 CHECK (partition_entries > 0 AND partition_entries % 256 = 0),
    epoch             bigint  NOT NULL DEFAULT 0,
    holder            text,
    leased_until      timestamptz NOT NULL DEFAULT '-infinity'
);
INSERT INTO head DEFAULT VALUES;

-- 64 successive entries: body is a piece of a C2SP tlog-tiles entry bundle, compressed by zstd; hashes a piece of the
-- level-0 hash tile.
CREATE TABLE chunks (
    start       bigint      NOT NULL,
    body        bytea STORAGE EXTERNAL NOT NULL,
    hashes      bytea STORAGE PLAIN NOT NULL CHECK (octet_length(hashes) = 2048),
    recorded_at timestamptz NOT NULL,
    PRIMARY KEY (start)
) PARTITION BY RANGE (start);
CREATE INDEX chunks_recorded_at ON chunks (recorded_at);

-- The root of each complete subtree of 256 ^ level leaves. Those of one level, 256 at a time, are its hash tiles.
CREATE TABLE subtrees (
    level  smallint CHECK (level BETWEEN 1 AND 7),
    number bigint,
    hash   bytea NOT NULL CHECK (octet_length(hash) = 32),
    PRIMARY KEY (level, number)
);

CREATE TABLE sites (
    number        smallint PRIMARY KEY,
    site_id       text     NOT NULL UNIQUE,
    next_sequence bigint   NOT NULL
);
CREATE TABLE types (
    number smallint PRIMARY KEY,
    type   text     NOT NULL UNIQUE
);

-- What entries are found by: one row an entry, derived from it. subject, actor and correlation are 64-bit digests.
CREATE TABLE events (
    index       bigint      NOT NULL,
    time        timestamptz NOT NULL,
    subject     bigint      NOT NULL,
    actor       bigint      NOT NULL,
    correlation bigint      NOT NULL,
    site        smallint    NOT NULL,
    type        smallint    NOT NULL,
    outcome     smallint    NOT NULL
) PARTITION BY RANGE (index);
CREATE INDEX events_index ON events USING brin (index) WITH (pages_per_range = 16, autosummarize = on);
CREATE INDEX events_kind ON events (site, type, time);
CREATE INDEX events_subject ON events (subject, time);
CREATE INDEX events_correlation ON events (correlation);
-- All but those of `service:probes`, by the digest of that name: nearly all events are results of probes.
CREATE INDEX events_actor ON events (actor, time) WHERE actor <> -1666287588349735197;

-- What else an entry tells of besides its subject: the system that an alert concerns, those of a window.
CREATE TABLE mentions (
    index   bigint      NOT NULL,
    time    timestamptz NOT NULL,
    subject bigint      NOT NULL,
    site    smallint    NOT NULL
) PARTITION BY RANGE (index);
CREATE INDEX mentions_subject ON mentions (subject, time);

-- How many events of a kind have their time on a day (UTC).
CREATE TABLE days (
    day   date     NOT NULL,
    site  smallint NOT NULL,
    type  smallint NOT NULL,
    count bigint   NOT NULL,
    PRIMARY KEY (site, type, day)
);

-- The parts that the log is pruned by: indices [number * partition_entries, (number + 1) * partition_entries).
CREATE TABLE partitions (
    number         bigint PRIMARY KEY,
    first_time     timestamptz NOT NULL DEFAULT 'infinity',
    last_time      timestamptz NOT NULL DEFAULT '-infinity',
    first_recorded timestamptz,
    last_recorded  timestamptz
);

-- Site scope, also where a query forgets it. The setting names the sites, or is * for all.
CREATE FUNCTION visible_sites() RETURNS smallint[] LANGUAGE sql STABLE AS $$
    SELECT coalesce(array_agg(number), '{}') FROM sites
    WHERE current_setting('steward.sites', true) = '*'
       OR site_id = ANY (string_to_array(current_setting('steward.sites', true), ','))
$$;
ALTER TABLE events ENABLE ROW LEVEL SECURITY;
ALTER TABLE mentions ENABLE ROW LEVEL SECURITY;
ALTER TABLE days ENABLE ROW LEVEL SECURITY;
CREATE POLICY of_visible_sites ON events FOR SELECT USING (site = ANY ((SELECT visible_sites())::smallint[]));
CREATE POLICY of_visible_sites ON mentions FOR SELECT USING (site = ANY ((SELECT visible_sites())::smallint[]));
CREATE POLICY of_visible_sites ON days FOR SELECT USING (site = ANY ((SELECT visible_sites())::smallint[]));
CREATE POLICY counted ON days FOR INSERT WITH CHECK (true);
CREATE POLICY counted_on ON days FOR UPDATE USING (true);

-- The service's role can't make tables; it may have the next partition made. Rows are copied straight into it, and read
-- through the whole table only, where the policies are. A partition that is attached, not made in its place, waits for
-- nobody who reads the others. Functions of the owner look into pg_temp last: tables that a session has made for itself
-- would else stand in for these.
CREATE FUNCTION make_partition(wanted bigint) RETURNS void LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = compliance, pg_temp AS $$
DECLARE
    width bigint := (SELECT partition_entries FROM head);
    part  text;
BEGIN
    INSERT INTO partitions (number) VALUES (wanted) ON CONFLICT DO NOTHING;
    FOREACH part IN ARRAY ARRAY['chunks', 'events', 'mentions'] LOOP
        EXECUTE format('CREATE TABLE %I (LIKE %I INCLUDING CONSTRAINTS INCLUDING STORAGE)',
                       part || '_' || wanted, part);
        EXECUTE format('REVOKE ALL ON %I FROM steward_compliance', part || '_' || wanted);
        EXECUTE format('GRANT INSERT ON %I TO steward_compliance', part || '_' || wanted);
        EXECUTE format('ALTER TABLE %I ATTACH PARTITION %I FOR VALUES FROM (%s) TO (%s)',
                       part, part || '_' || wanted, wanted * width, (wanted + 1) * width);
    END LOOP;
END $$;
REVOKE ALL ON FUNCTION make_partition FROM PUBLIC;
GRANT EXECUTE ON FUNCTION make_partition TO steward_compliance;

REVOKE UPDATE, DELETE, TRUNCATE ON chunks, subtrees, types, events, mentions FROM steward_compliance;
REVOKE INSERT, DELETE, TRUNCATE ON head FROM steward_compliance;
REVOKE DELETE, TRUNCATE ON sites, days, partitions FROM steward_compliance;
REVOKE INSERT ON partitions FROM steward_compliance;
