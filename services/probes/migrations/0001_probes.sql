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
-- and the id of the result of its last run.
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
    is_heavy       boolean     NOT NULL,
    check_name     text,
    next_due       timestamptz NOT NULL,
    lease          text,
    leased_until   timestamptz,
    last_result    text
);
CREATE INDEX probes_due ON probes (next_due);
CREATE INDEX probes_of_subject ON probes (subject);

-- The id is that of the probe.result event.
CREATE TABLE results (
    probe_id   text             NOT NULL,
    due_at     timestamptz      NOT NULL,
    id         text             NOT NULL UNIQUE,
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
);
CREATE INDEX results_of_subject ON results (subject, id);
CREATE INDEX results_age ON results USING brin (started_at);

-- Where each probe stands in the alert machine; no row stands for "ok".
CREATE TABLE alert_states (
    probe_id  text    PRIMARY KEY,
    phase     text    NOT NULL,
    failures  integer NOT NULL,
    successes integer NOT NULL,
    since     timestamptz,
    is_held   boolean NOT NULL
);

CREATE TABLE alerts (
    id                    text        PRIMARY KEY,
    "check"               text        NOT NULL,
    subject               text        NOT NULL,
    asset_name            text        NOT NULL,
    site_id               text        NOT NULL,
    system_id             text,
    severity              text        NOT NULL,
    summary               text        NOT NULL,
    since                 timestamptz NOT NULL,
    raised_at             timestamptz NOT NULL,
    persisted_past_window boolean     NOT NULL,
    resolved_at           timestamptz,
    resolution            text
);
CREATE UNIQUE INDEX alerts_open ON alerts (subject, "check") WHERE resolved_at IS NULL;

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
