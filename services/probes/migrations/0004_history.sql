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

-- Each probe that ever had a result, and what phases and measures it told, in the order in which they first came; it
-- stays when the probe is gone. Rollups name it by its number, and a measure by its place.
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
-- or measure its values, as pack_values and pack_bins write them. There are 105,120 such rows a year of a probe that runs
-- every minute: hence columns in the order of their size, numbers of 7 digits, and no names.
CREATE TABLE rollups_5m (
    starts_at    timestamptz NOT NULL,
    probe        integer     NOT NULL,
    observed     real        NOT NULL,
    reachable    real        NOT NULL,
    usable       real        NOT NULL,
    planned      real        NOT NULL,
    planned_down real        NOT NULL,
    ok           smallint    NOT NULL,
    degraded     smallint    NOT NULL,
    failed       smallint    NOT NULL,
    probe_error  smallint    NOT NULL,
    skipped      smallint    NOT NULL,
    losses       smallint    NOT NULL,
    breakdowns   smallint    NOT NULL,
    numbers      real[]      NOT NULL,
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

-- A number of 7 digits; what is too large or too small for one becomes the nearest that is not.
CREATE FUNCTION to_real(value double precision) RETURNS real LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE WHEN abs(value) < 1.2e-38 THEN 0
                ELSE greatest(least(value, 3.4e38::double precision), -3.4e38::double precision) END::real
$$;

-- Many values of the measure with that place in its probe's measures: place * 64, their count, sum, least and greatest,
-- how many bins follow, and each bin * 256 + its count, a larger count in several.
CREATE FUNCTION pack_bins(place integer, count bigint, sum double precision, smallest double precision,
                          largest double precision, bins integer[], counts integer[])
    RETURNS real[] LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT ARRAY[place * 64, count, to_real(sum), to_real(smallest), to_real(largest), cardinality(packed)]::real[] || packed
    FROM (SELECT array_agg(CASE WHEN bin < 0 THEN bin * 256 - part ELSE bin * 256 + part END::real ORDER BY bin) AS packed
          FROM unnest(bins, counts) AS counted (bin, of_bin)
          CROSS JOIN LATERAL generate_series(0, (of_bin - 1) / 255) AS number
          CROSS JOIN LATERAL least(255, of_bin - number * 255) AS part) AS made
$$;

-- The values themselves, where they are few: place * 64 + how many, and each; or one value that came each time:
-- place * 64 + 9, it, and how often.
CREATE FUNCTION pack_values(place integer, told double precision[]) RETURNS real[]
    LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE WHEN told[1] = ALL (told) AND cardinality(told) > 2
                    THEN ARRAY[place * 64 + 9, to_real(told[1]), cardinality(told)]::real[]
                WHEN cardinality(told) <= 8
                    THEN (place * 64 + cardinality(told))::real || ARRAY(SELECT to_real(one) FROM unnest(told) AS one)
                ELSE (SELECT pack_bins(place, sum(count)::bigint, sum(sum), min(least), max(greatest), array_agg(bin),
                                       array_agg(count::integer))
                      FROM (SELECT log_bin(one) AS bin, count(*), sum(one), min(one) AS least, max(one) AS greatest
                            FROM unnest(told) AS one GROUP BY log_bin(one)) AS binned) END
$$;

-- Arrays one after the other.
CREATE AGGREGATE array_concat(real[]) (SFUNC = array_cat, STYPE = real[], INITCOND = '{}');

-- By name: [count, sum, least, greatest, bins], the bins as '1047 1052:3', which are one value and three values.
CREATE FUNCTION unpacked(numbers real[], names text[], wanted text DEFAULT NULL) RETURNS TABLE (name text, part jsonb)
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE ROWS 6 AS $$
DECLARE
    at   integer := 1;
    form integer;
    size integer;
BEGIN
    WHILE at <= cardinality(numbers) LOOP
        form := numbers[at]::integer % 64;
        size := CASE form WHEN 0 THEN 6 + numbers[at + 5]::integer WHEN 9 THEN 3 ELSE 1 + form END;
        name := names[numbers[at]::integer / 64];
        IF wanted IS NULL OR name = wanted THEN
            part := CASE form
                WHEN 0 THEN jsonb_build_array(numbers[at + 1]::bigint, numbers[at + 2], numbers[at + 3], numbers[at + 4], (
                    SELECT string_agg(one::integer / 256 || ':' || abs(one::integer) % 256, ' ')
                    FROM unnest(numbers[at + 6 : at + size - 1]) AS one))
                WHEN 9 THEN jsonb_build_array(
                    numbers[at + 2]::bigint, numbers[at + 1]::text::double precision * numbers[at + 2], numbers[at + 1],
                    numbers[at + 1], log_bin(numbers[at + 1]) || ':' || numbers[at + 2]::bigint)
                ELSE (SELECT jsonb_build_array(form, sum(one::text::double precision), min(one), max(one),
                                               string_agg(log_bin(one)::text, ' ' ORDER BY one))
                      FROM unnest(numbers[at + 1 : at + form]) AS one) END;
            RETURN NEXT;
        END IF;
        at := at + size;
    END LOOP;
END $$;

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
