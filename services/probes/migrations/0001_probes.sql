-- What probes knows of inventory.
CREATE TABLE assets (
    id        text    PRIMARY KEY,
    site_id   text    NOT NULL,
    kind      text    NOT NULL,
    name      text    NOT NULL,
    state     text    NOT NULL,
    version   integer NOT NULL,
    system_id text,
    dicom     jsonb,
    retired   boolean NOT NULL DEFAULT false
);
CREATE INDEX assets_of_system ON assets (system_id);

-- One row a probe: what it asks, when it is due next, which replica is at it until when,
-- and the due time and the result's id of its last run.
-- Of one target, one probe of a class runs at a time; of one system, one that is heavy.
-- A class is a family of kinds ("dicom"); what is heavy is apart, so that what is light need not wait for it.
CREATE TABLE probes (
    id             text        PRIMARY KEY,
    kind           text        NOT NULL,
    subject        text        NOT NULL,
    site_id        text        NOT NULL,
    system_id      text,
    name           text        NOT NULL,
    settings       jsonb       NOT NULL,
    interval       interval    NOT NULL,
    retry_interval interval    NOT NULL,
    timeout        interval    NOT NULL,
    vantage        text,
    depends_on     text[]      NOT NULL,
    limits         jsonb       NOT NULL,
    severity       text,
    reachability   boolean,
    is_heavy       boolean     NOT NULL,
    check_name     text,
    class          text        NOT NULL GENERATED ALWAYS AS
                                   (split_part(kind, '-', 1) || CASE WHEN is_heavy THEN ' heavy' ELSE '' END) STORED,
    heavy_at       text        GENERATED ALWAYS AS
                                   (CASE WHEN is_heavy THEN coalesce(system_id, subject) END) STORED,
    next_due       timestamptz NOT NULL,
    lease          text,
    leased_until   timestamptz,
    last_due       timestamptz,
    last_result    text
) WITH (fillfactor = 60, autovacuum_vacuum_scale_factor = 0.05);
CREATE INDEX probes_due ON probes (next_due) WHERE vantage IS NULL;
CREATE INDEX probes_leased ON probes (leased_until) WHERE leased_until IS NOT NULL;
CREATE INDEX probes_of_subject ON probes (subject);
CREATE INDEX probes_of_vantage ON probes (vantage, id) WHERE vantage IS NOT NULL;

CREATE TABLE windows (
    id           text        PRIMARY KEY,
    revision     integer     NOT NULL,
    systems      text[]      NOT NULL,
    starts_at    timestamptz NOT NULL,
    ends_at      timestamptz NOT NULL,
    started_at   timestamptz,
    ended_at     timestamptz,
    is_cancelled boolean     NOT NULL DEFAULT false
);
CREATE INDEX windows_end ON windows (ends_at);
