-- What the delivery contract keeps in every service's schema.

CREATE TABLE outbox (
    id    bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    topic text  NOT NULL,
    key   text  NOT NULL,
    body  bytea NOT NULL
);

-- One row: the sequence that the next event gets, and the batch that is on its way.
CREATE TABLE relay (
    single         boolean  PRIMARY KEY DEFAULT true CHECK (single),
    next_sequence  bigint   NOT NULL DEFAULT 1,
    first_sequence bigint,
    in_flight      bigint[] NOT NULL DEFAULT '{}'
);
INSERT INTO relay DEFAULT VALUES;

CREATE TABLE positions (
    topic       text   NOT NULL,
    partition   int    NOT NULL,
    next_offset bigint NOT NULL,
    sequences   jsonb  NOT NULL DEFAULT '{}',
    PRIMARY KEY (topic, partition)
);

CREATE TABLE quarantine (
    id             uuid        PRIMARY KEY,
    topic          text        NOT NULL,
    partition      int         NOT NULL,
    "offset"       bigint      NOT NULL,
    raw            bytea       NOT NULL,
    reason         text        NOT NULL,
    quarantined_at timestamptz NOT NULL,
    state          text        NOT NULL DEFAULT 'held' CHECK (state IN ('held', 'replayed', 'discarded')),
    decided_at     timestamptz,
    decided_by     text,
    decision       text,
    UNIQUE (topic, partition, "offset")
);

-- Answers to requests that carried an Idempotency-Key.
CREATE TABLE requests (
    caller      text        NOT NULL,
    key         text        NOT NULL,
    fingerprint bytea       NOT NULL,
    answer      bytea,
    answered_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (caller, key)
);
CREATE INDEX requests_age ON requests (answered_at);

-- API keys, as told by key.changed. Only the digest of a secret is ever known here.
CREATE TABLE api_keys (
    sha256     text        PRIMARY KEY,
    id         text        NOT NULL,
    name       text        NOT NULL,
    grants     text[]      NOT NULL,
    expires_at timestamptz NOT NULL,
    revoked_at timestamptz
);
