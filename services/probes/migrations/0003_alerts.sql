-- Where each check stands in the alert machine; no row stands for "ok". The measure is '' for the probe itself.
CREATE TABLE alert_states (
    probe_id      text        NOT NULL,
    measure       text        NOT NULL,
    subject       text        NOT NULL,
    site_id       text        NOT NULL,
    "check"       text        NOT NULL,
    phase         text        NOT NULL,
    failures      integer     NOT NULL,
    successes     integer     NOT NULL,
    criticals     integer     NOT NULL,
    since         timestamptz,
    alert_id      text,
    severity      text,
    failure       text,
    is_held       boolean     NOT NULL,
    suppressed_by text,
    is_asked      boolean     NOT NULL,
    recent        integer     NOT NULL,
    missing_since timestamptz,
    PRIMARY KEY (probe_id, measure)
) WITH (fillfactor = 70);
CREATE INDEX alert_states_of_subject ON alert_states (subject);

CREATE TABLE alerts (
    id                    text        PRIMARY KEY,
    probe_id              text        NOT NULL,
    measure               text        NOT NULL,
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
    flapping              boolean     NOT NULL,
    resolved_at           timestamptz,
    resolution            text,
    acknowledged_by       text,
    acknowledged_at       timestamptz,
    acknowledged_until    timestamptz,
    acknowledgement       text
);
CREATE UNIQUE INDEX alerts_open ON alerts (probe_id, measure) WHERE resolved_at IS NULL;
CREATE INDEX alerts_of_subject ON alerts (subject, id);
CREATE INDEX alerts_acknowledged ON alerts (acknowledged_until) WHERE acknowledged_until IS NOT NULL;

-- Every step of every check. The id is that of its event.
CREATE TABLE alert_transitions (
    id         text        PRIMARY KEY,
    probe_id   text        NOT NULL,
    measure    text        NOT NULL,
    subject    text        NOT NULL,
    site_id    text        NOT NULL,
    "check"    text        NOT NULL,
    alert_id   text,
    what       text        NOT NULL,
    before     text        NOT NULL,
    after      text        NOT NULL,
    severity   text,
    summary    text        NOT NULL,
    at         timestamptz NOT NULL,
    actor      text        NOT NULL
);
CREATE INDEX alert_transitions_of_subject ON alert_transitions (subject, id);
CREATE INDEX alert_transitions_of_alert ON alert_transitions (alert_id, id);
CREATE INDEX alert_transitions_age ON alert_transitions USING brin (at);

-- When a result last said something about a probe's target, by the database's clock, and which vantage made it.
CREATE TABLE heard (
    probe_id   text        PRIMARY KEY,
    heard_at   timestamptz NOT NULL,
    heard_from text
) WITH (fillfactor = 70);

-- What is usual for a measure: of each hour of the week (0 to 167), and of all hours (-1), some of its values.
CREATE TABLE baselines (
    probe_id   text               NOT NULL,
    measure    text               NOT NULL,
    slot       smallint           NOT NULL,
    values     double precision[] NOT NULL,
    learned_at timestamptz        NOT NULL,
    PRIMARY KEY (probe_id, measure, slot)
);

-- The hours of the week are the site's.
CREATE TABLE site_zones (
    site_id   text    PRIMARY KEY,
    time_zone text    NOT NULL,
    version   integer NOT NULL
);
