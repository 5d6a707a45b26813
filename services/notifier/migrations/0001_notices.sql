-- The audience, as inventory's events tell it.
CREATE TABLE sites (
    id        text    PRIMARY KEY,
    name      text    NOT NULL,
    time_zone text    NOT NULL,
    version   integer NOT NULL
);

CREATE TABLE people (
    id      text    PRIMARY KEY,
    site_id text    NOT NULL,
    name    text    NOT NULL,
    email   text    NOT NULL,
    roles   text[]  NOT NULL,
    active  boolean NOT NULL,
    version integer NOT NULL
);
CREATE INDEX people_of_site ON people (site_id) WHERE active;

CREATE TABLE assets (
    id      text    PRIMARY KEY,
    name    text    NOT NULL,
    version integer NOT NULL
);

-- Addresses that the mail server has refused; nothing goes to them until the person's entry is saved again.
CREATE TABLE suppressed_addresses (
    address       text        PRIMARY KEY,
    reason        text        NOT NULL,
    suppressed_at timestamptz NOT NULL
);

-- Newest revision of each maintenance window. scheduled_at is empty while only later events of it have come.
CREATE TABLE windows (
    id                  text        PRIMARY KEY,
    site_id             text        NOT NULL,
    facts               jsonb       NOT NULL,
    scheduled_at        timestamptz,
    started_at          timestamptz,
    ended_at            timestamptz,
    cancelled_at        timestamptz,
    previous_starts_at  timestamptz,
    previous_ends_at    timestamptz,
    cancellation_reason text        NOT NULL DEFAULT ''
);

CREATE TABLE alerts (
    id                text        PRIMARY KEY,
    site_id           text        NOT NULL,
    asset_id          text        NOT NULL,
    raised            jsonb,
    resolved          jsonb,
    resolved_heard_at timestamptz
);

-- What people are to be told about a window or an alert.
CREATE TABLE notices (
    id                 text        PRIMARY KEY,
    site_id            text        NOT NULL,
    about              text        NOT NULL,
    kind               text        NOT NULL,
    revision           integer     NOT NULL,
    due_at             timestamptz NOT NULL,
    expires_at         timestamptz,
    breaches_lead_time boolean     NOT NULL,
    state              text        NOT NULL DEFAULT 'planned'
                       CHECK (state IN ('planned', 'addressed', 'nobody', 'superseded')),
    planned_at         timestamptz NOT NULL,
    correlation_id     text        NOT NULL,
    causation_id       text,
    traceparent        text,
    UNIQUE (about, kind, revision)
);
CREATE INDEX notices_due ON notices (due_at) WHERE state = 'planned';
CREATE INDEX notices_of_site ON notices (site_id, kind);

-- One notice to one person. next_try_at: of a planned one when it is due, of a leased one when its lease ends.
CREATE TABLE deliveries (
    id          text        PRIMARY KEY,
    notice_id   text        NOT NULL REFERENCES notices,
    person_id   text        NOT NULL,
    channel     text        NOT NULL DEFAULT 'mail' CHECK (channel = 'mail'),
    urgent      boolean     NOT NULL,
    state       text        NOT NULL DEFAULT 'planned'
                CHECK (state IN ('planned', 'leased', 'accepted', 'bounced', 'superseded')),
    attempts    integer     NOT NULL DEFAULT 0,
    next_try_at timestamptz NOT NULL,
    lease_owner text,
    planned_at  timestamptz NOT NULL,
    settled_at  timestamptz,
    message_id  text,
    answer      text        NOT NULL DEFAULT '',
    UNIQUE (notice_id, person_id, channel)
);
CREATE INDEX deliveries_open ON deliveries (urgent, next_try_at) WHERE state IN ('planned', 'leased');
