-- Versions of the lifecycle's policy that the group has published, each as the very text that its SHA-256 is of.
CREATE TABLE policies (
    version      integer     PRIMARY KEY,
    document     text        NOT NULL,
    sha256       text        NOT NULL,
    published_by text        NOT NULL,
    published_at timestamptz NOT NULL
);

-- What serves, or has served, for a step of an asset's life. "what" is the document's kind, the event's type or the
-- capacity of who stated it; "data" is the event's, for policies to come.
CREATE TABLE evidence (
    id             text        PRIMARY KEY,
    asset_id       text        NOT NULL REFERENCES assets,
    site_id        text        NOT NULL,
    kind           text        NOT NULL,
    source         text        NOT NULL,
    what           text        NOT NULL,
    reference      text,
    sha256         text,
    statement      text,
    role           text,
    covers         text[]      NOT NULL,
    data           jsonb       NOT NULL,
    at             timestamptz NOT NULL,
    valid_until    timestamptz,
    policy_version integer     NOT NULL,
    recorded_by    text        NOT NULL,
    recorded_at    timestamptz NOT NULL,
    revoked_by     text,
    revoked_at     timestamptz,
    revoked_reason text,
    version        integer     NOT NULL,
    CHECK (num_nonnulls(revoked_by, revoked_at, revoked_reason) IN (0, 3))
);
CREATE INDEX evidence_of_asset ON evidence (asset_id, id);
CREATE UNIQUE INDEX each_event_serves_once ON evidence (asset_id, kind, reference) WHERE source = 'event';
CREATE INDEX evidence_by_event ON evidence (reference) WHERE source = 'event';

-- The events that can be evidence, so that one can be named later. What is long in them (a suite's items) is left out.
CREATE TABLE event_facts (
    id      text        PRIMARY KEY,
    type    text        NOT NULL,
    subject text        NOT NULL,
    site_id text        NOT NULL,
    at      timestamptz NOT NULL,
    sha256  text        NOT NULL,
    data    jsonb       NOT NULL
);
CREATE INDEX facts_by_data ON event_facts USING gin (data jsonb_path_ops);

CREATE TABLE waivers (
    id              text        PRIMARY KEY,
    asset_id        text        NOT NULL REFERENCES assets,
    site_id         text        NOT NULL,
    kind            text        NOT NULL,
    state           text        NOT NULL,
    reason          text        NOT NULL,
    expires_at      timestamptz NOT NULL,
    requested_by    text        NOT NULL,
    requested_at    timestamptz NOT NULL,
    decided_by      text,
    decided_at      timestamptz,
    decision_reason text,
    version         integer     NOT NULL,
    CHECK (state <> 'approved' OR decided_by <> requested_by)
);
CREATE INDEX waivers_of_asset ON waivers (asset_id, id);

-- How each attempt to move an asset was judged, also those that were refused.
CREATE TABLE decisions (
    id             text        PRIMARY KEY,
    asset_id       text        NOT NULL REFERENCES assets,
    from_state     text        NOT NULL,
    to_state       text        NOT NULL,
    allowed        boolean     NOT NULL,
    policy_version integer     NOT NULL,
    met            jsonb       NOT NULL,
    missing        jsonb       NOT NULL,
    reason         text        NOT NULL,
    actor          text        NOT NULL,
    at             timestamptz NOT NULL
);
CREATE INDEX decisions_of_asset ON decisions (asset_id, id);

-- What kept data in a system when it was isolated: whatever leaves it later needs its certificate all the same.
CREATE TABLE media_at_isolation (
    system_id text NOT NULL REFERENCES assets,
    medium_id text NOT NULL REFERENCES assets,
    PRIMARY KEY (system_id, medium_id)
);

ALTER TABLE transitions ADD COLUMN decision_id text REFERENCES decisions;
