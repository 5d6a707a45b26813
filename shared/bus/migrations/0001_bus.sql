-- The embedded bus. ``head`` is locked by whoever publishes, so offsets are dense and become visible in order.

CREATE TABLE topics (
    topic      text     PRIMARY KEY,
    partitions int      NOT NULL CHECK (partitions > 0),
    retention  interval NOT NULL,
    compacted  boolean  NOT NULL
);

CREATE TABLE heads (
    topic       text   NOT NULL REFERENCES topics,
    partition   int    NOT NULL,
    next_offset bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (topic, partition)
) WITH (fillfactor = 50);

CREATE TABLE log (
    topic        text        NOT NULL,
    partition    int         NOT NULL,
    "offset"     bigint      NOT NULL,
    key          text        NOT NULL,
    value        bytea       NOT NULL CHECK (octet_length(value) <= 1048576),
    published_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (topic, partition, "offset")
) PARTITION BY LIST (topic);

CREATE TABLE producers (
    name  text   PRIMARY KEY,
    epoch bigint NOT NULL
);
