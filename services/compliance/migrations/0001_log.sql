-- Entries in chunks: body is a piece of a C2SP tlog-tiles entry bundle, hashes the same piece of the level-0 hash tile.
CREATE TABLE entries (
    start  bigint PRIMARY KEY CHECK (start >= 0),
    body   bytea  NOT NULL,
    hashes bytea  NOT NULL CHECK (octet_length(hashes) BETWEEN 32 AND 1024 AND octet_length(hashes) % 32 = 0)
);

-- The root after each batch. Each row names the size before it, so that a missing row is noticed.
CREATE TABLE roots (
    size          bigint      PRIMARY KEY,
    previous_size bigint      NOT NULL CHECK (previous_size >= 0 AND previous_size < size),
    root          bytea       NOT NULL,
    recorded_at   timestamptz NOT NULL
);

-- One row: how far the log has come. Whoever appends holds its lock, so there is one writer at a time.
CREATE TABLE head (
    single      boolean     PRIMARY KEY DEFAULT true CHECK (single),
    size        bigint      NOT NULL DEFAULT 0,
    root        bytea       NOT NULL DEFAULT sha256(''),
    frontier    bytea[]     NOT NULL DEFAULT '{}',
    recorded_at timestamptz,
    epoch       bigint      NOT NULL DEFAULT 0
);
INSERT INTO head DEFAULT VALUES;

CREATE TABLE sites (
    site_id       text   PRIMARY KEY,
    next_sequence bigint NOT NULL
);

-- What entries are found by. It is derived from them, and verification derives it again.
CREATE TABLE events (
    index          bigint      PRIMARY KEY,
    site_id        text        NOT NULL,
    site_sequence  bigint      NOT NULL,
    type           text        NOT NULL,
    subject        text        NOT NULL,
    actor          text        NOT NULL,
    correlation_id text        NOT NULL,
    causation_id   text,
    event_id       text        NOT NULL,
    time           timestamptz NOT NULL,
    recorded_at    timestamptz NOT NULL
);
CREATE INDEX events_site ON events (site_id, index);
CREATE INDEX events_type ON events (type, index);
CREATE INDEX events_subject ON events (subject, index);
CREATE INDEX events_actor ON events (actor, index);
CREATE INDEX events_correlation ON events (correlation_id, index);
-- Entries arrive nearly in the order of their events' times, so block ranges find a period at next to no cost.
CREATE INDEX events_time ON events USING brin (time) WITH (pages_per_range = 32, autosummarize = on);

REVOKE UPDATE, DELETE, TRUNCATE ON entries, roots, events FROM steward_compliance;
REVOKE INSERT, DELETE, TRUNCATE ON head FROM steward_compliance;
REVOKE DELETE, TRUNCATE ON sites FROM steward_compliance;
