-- What the probes saw: as it was seen, by day of the due time. The id is that of the probe.result event.
CREATE TABLE results (
    probe_id   text             NOT NULL,
    due_at     timestamptz      NOT NULL,
    id         text             NOT NULL,
    subject    text             NOT NULL,
    site_id    text             NOT NULL,
    kind       text             NOT NULL,
    started_at timestamptz      NOT NULL,
    outcome    text             NOT NULL,
    failure    text,
    detail     text             NOT NULL,
    phases     jsonb            NOT NULL,
    rejection  integer[],
    status     text,
    lag_ms     double precision NOT NULL,
    vantage    text             NOT NULL,
    window_id  text,
    measures   jsonb            NOT NULL,
    facts      jsonb            NOT NULL,
    PRIMARY KEY (probe_id, due_at)
) PARTITION BY RANGE (due_at);
CREATE INDEX results_of_subject ON results (subject, id);
CREATE INDEX results_of_site ON results (site_id, id);
CREATE INDEX results_by_due_time ON results USING brin (due_at) WITH (pages_per_range = 32, autosummarize = on);

-- Each probe that ever had a result, and what phases and measures it told; it stays when the probe is gone, and
-- rollups name it by its number.
CREATE TABLE histories (
    number    integer  GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    probe_id  text     NOT NULL UNIQUE,
    subject   text     NOT NULL,
    site_id   text     NOT NULL,
    system_id text,
    kind      text     NOT NULL,
    name      text     NOT NULL,
    interval  interval NOT NULL,
    measures  text[]   NOT NULL DEFAULT '{}'
);
CREATE INDEX histories_of_subject ON histories (subject);
CREATE INDEX histories_of_system ON histories (system_id);
CREATE INDEX histories_of_site ON histories (site_id);

-- Results in sum: counts of outcomes; seconds that results have accounted for, outside windows and, "planned", in
-- them; how often the target was lost (no longer reachable) and broke (no longer usable) outside windows; and by phase
-- or measure [count, sum, least, greatest, bins], the bins as log_bin makes them: '1047 1052:3' are one and three values.
CREATE TABLE rollups_5m (
    probe        integer          NOT NULL,
    starts_at    timestamptz      NOT NULL,
    ok           integer          NOT NULL,
    degraded     integer          NOT NULL,
    failed       integer          NOT NULL,
    probe_error  integer          NOT NULL,
    skipped      integer          NOT NULL,
    observed     double precision NOT NULL,
    reachable    double precision NOT NULL,
    usable       double precision NOT NULL,
    planned      double precision NOT NULL,
    planned_down double precision NOT NULL,
    losses       integer          NOT NULL,
    breakdowns   integer          NOT NULL,
    numbers      jsonb            NOT NULL,
    PRIMARY KEY (probe, starts_at)
) PARTITION BY RANGE (starts_at);
CREATE INDEX rollups_5m_by_time ON rollups_5m USING brin (starts_at) WITH (pages_per_range = 32, autosummarize = on);

CREATE TABLE rollups_1h (LIKE rollups_5m, PRIMARY KEY (probe, starts_at))
    PARTITION BY RANGE (starts_at);

-- A value's bin: each is 2 % wide, so its middle is within 1 % of every value in it. Bins sort as their values do.
CREATE FUNCTION log_bin(value double precision) RETURNS integer LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE WHEN abs(value) < 1e-9 THEN 0
                ELSE sign(value)::integer * (ceil(ln(abs(value)) / ln(1.02::double precision))::integer + 1047) END
$$;

CREATE FUNCTION bins_of(bins text) RETURNS TABLE (bin integer, count integer) LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT split_part(one, ':', 1)::integer, coalesce(nullif(split_part(one, ':', 2), ''), '1')::integer
    FROM string_to_table(bins, ' ') AS one
$$;

-- "closed": results due before it come late, and are noted in late_results by who keeps them; who does reads it FOR
-- SHARE, so that it cannot move meanwhile. "rolled": up to there rollups were made.
CREATE TABLE rollup_marks (
    name text        PRIMARY KEY,
    at   timestamptz NOT NULL
);
INSERT INTO rollup_marks
    SELECT name, date_bin('5 minutes', now(), '2000-01-01 00:00:00+00') FROM unnest(ARRAY['closed', 'rolled']) AS name;

CREATE TABLE late_results (
    id       bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    probe_id text        NOT NULL,
    due_at   timestamptz NOT NULL
);
CREATE INDEX late_results_by_due_time ON late_results (due_at);

CREATE TABLE partitions (
    name      text        PRIMARY KEY,
    parent    text        NOT NULL,
    starts_at timestamptz NOT NULL,
    ends_at   timestamptz NOT NULL
);

-- The service's role can't make or drop tables; it may have this done. Between the first and the last partition there is
-- no gap, so what can be kept is told by two instants. Functions of the owner look into pg_temp last:
-- tables that a session has made for itself would else stand in for these.
CREATE FUNCTION provide_partitions(first timestamptz, last timestamptz) RETURNS void LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = probes, pg_temp SET timezone = 'UTC' AS $$
DECLARE
    kind   record;
    starts timestamptz;
    until  timestamptz;
    part   text;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('partitions of probes'));
    FOR kind IN SELECT * FROM (VALUES ('results', 'day', 'YYYY_MM_DD'), ('rollups_5m', 'month', 'YYYY_MM'),
                                      ('rollups_1h', 'year', 'YYYY')) AS k (parent, unit, naming) LOOP
        SELECT least(date_trunc(kind.unit, first), max(ends_at)), greatest(last, min(starts_at)) INTO starts, until
            FROM partitions WHERE parent = kind.parent;
        WHILE starts <= until LOOP
            part := kind.parent || '_' || to_char(starts, kind.naming);
            IF NOT EXISTS (SELECT FROM partitions WHERE name = part) THEN
                -- A table that is attached, not made in its place, waits for nobody who reads or writes the others.
                EXECUTE format('CREATE TABLE %I (LIKE %I)', part, kind.parent);
                EXECUTE format('ALTER TABLE %I ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)',
                               kind.parent, part, starts, starts + ('1 ' || kind.unit)::interval);
                INSERT INTO partitions VALUES (part, kind.parent, starts, starts + ('1 ' || kind.unit)::interval);
            END IF;
            starts := starts + ('1 ' || kind.unit)::interval;
        END LOOP;
    END LOOP;
END $$;

-- Drops what ended before. Whoever keeps results goes by "closed" and the partitions there are: first wait for them.
CREATE FUNCTION drop_partitions(wanted text, before timestamptz) RETURNS integer LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = probes, pg_temp SET lock_timeout = '3s' AS $$
DECLARE
    part    text;
    dropped integer := 0;
BEGIN
    IF NOT EXISTS (SELECT FROM partitions WHERE parent = wanted AND ends_at <= before) THEN
        RETURN 0;
    END IF;
    PERFORM FROM rollup_marks WHERE name = 'closed' FOR UPDATE;
    PERFORM pg_advisory_xact_lock(hashtext('partitions of probes'));
    FOR part IN DELETE FROM partitions WHERE parent = wanted AND ends_at <= before RETURNING name LOOP
        EXECUTE format('DROP TABLE %I', part);
        dropped := dropped + 1;
    END LOOP;
    RETURN dropped;
END $$;

REVOKE ALL ON FUNCTION provide_partitions, drop_partitions FROM PUBLIC;
GRANT EXECUTE ON FUNCTION provide_partitions, drop_partitions TO steward_probes;
REVOKE INSERT, UPDATE, DELETE ON partitions FROM steward_probes;

SELECT provide_partitions(now() - interval '1 day', now() + interval '3 days');
