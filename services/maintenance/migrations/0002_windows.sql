CREATE EXTENSION IF NOT EXISTS btree_gist;

-- due_at: the instant at which the schedule has to open or close the window.
CREATE TABLE windows (
    id                  text        PRIMARY KEY,
    site_id             text        NOT NULL,
    time_zone           text        NOT NULL,
    state               text        NOT NULL CHECK (state IN ('scheduled', 'started', 'ended', 'cancelled')),
    revision            integer     NOT NULL,
    version             integer     NOT NULL,
    title               text        NOT NULL,
    reason              text        NOT NULL,
    impact              text        NOT NULL,
    starts_at           timestamptz NOT NULL,
    ends_at             timestamptz NOT NULL CHECK (ends_at > starts_at),
    systems             jsonb       NOT NULL,
    contact             text        NOT NULL,
    started_at          timestamptz,
    ended_at            timestamptz,
    cancelled_at        timestamptz,
    cancellation_reason text,
    due_at              timestamptz GENERATED ALWAYS AS
        (CASE state WHEN 'scheduled' THEN starts_at WHEN 'started' THEN ends_at END) STORED
);
CREATE INDEX windows_due ON windows (due_at) WHERE due_at IS NOT NULL;

-- No system lies in two live windows at one time, whatever the code believes.
CREATE TABLE window_systems (
    window_id text      NOT NULL,
    system_id text      NOT NULL,
    period    tstzrange NOT NULL,
    live      boolean   NOT NULL DEFAULT true,
    PRIMARY KEY (window_id, system_id),
    EXCLUDE USING gist (system_id WITH =, period WITH &&) WHERE (live)
);
