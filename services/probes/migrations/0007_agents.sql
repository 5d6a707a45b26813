-- What each agent last told of itself. Its work are the probes with its vantage.
CREATE TABLE agents (
    name            text             PRIMARY KEY,
    site_ids        text[]           NOT NULL,
    last_seen       timestamptz      NOT NULL,
    clock_offset_ms double precision NOT NULL,
    waiting         bigint           NOT NULL,
    lost            bigint           NOT NULL,
    quarantined     bigint           NOT NULL
);
