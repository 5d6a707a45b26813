-- What backup knows of the systems it protects, from asset.changed.
CREATE TABLE systems (
    id      text    PRIMARY KEY,
    site_id text    NOT NULL,
    name    text    NOT NULL,
    state   text    NOT NULL,
    version integer NOT NULL
);

CREATE TABLE sets (
    id         text    PRIMARY KEY,
    system_id  text    NOT NULL REFERENCES systems (id),
    site_id    text    NOT NULL,
    scope      text    NOT NULL,
    engine     text    NOT NULL,
    path       text    NOT NULL,
    repository text    NOT NULL,
    version    integer NOT NULL,
    UNIQUE (system_id, scope, repository)
);

-- The ledger of the engine's runs: planned, then leased by one runner, then done or failed for ever.
CREATE TABLE runs (
    id             text        PRIMARY KEY,
    set_id         text        NOT NULL REFERENCES sets (id),
    system_id      text        NOT NULL,
    site_id        text        NOT NULL,
    scope          text        NOT NULL,
    engine         text        NOT NULL,
    path           text        NOT NULL,
    repository     text        NOT NULL,
    state          text        NOT NULL CHECK (state IN ('planned', 'leased', 'done', 'failed')),
    requested_by   text        NOT NULL,
    correlation_id text        NOT NULL,
    traceparent    text,
    planned_at     timestamptz NOT NULL,
    lease_id       text,
    leased_until   timestamptz,
    attempts       integer     NOT NULL DEFAULT 0,
    started_at     timestamptz,
    finished_at    timestamptz,
    engine_version text,
    snapshot_id    text,
    bytes          bigint,
    total_bytes    bigint,
    items          bigint,
    encrypted      boolean,
    output_sha256  text,
    exit_code      integer,
    reason         text,
    version        integer     NOT NULL
);
CREATE UNIQUE INDEX runs_unfinished ON runs (set_id) WHERE state IN ('planned', 'leased');
CREATE UNIQUE INDEX runs_leased ON runs (site_id, repository) WHERE state = 'leased';
CREATE INDEX runs_done ON runs (site_id, repository) WHERE state = 'done';

-- The alert that is open for a set since its last run failed.
CREATE TABLE open_alerts (
    set_id    text        PRIMARY KEY REFERENCES sets (id),
    alert_id  text        NOT NULL,
    raised_at timestamptz NOT NULL
);
