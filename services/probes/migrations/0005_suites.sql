-- Suites that somebody made; those that come with Steward are no rows.
CREATE TABLE suites (
    id      text    PRIMARY KEY,
    site_id text    NOT NULL,
    name    text    NOT NULL,
    purpose text    NOT NULL,
    summary text    NOT NULL,
    items   jsonb   NOT NULL,
    version integer NOT NULL
);
CREATE INDEX suites_of_site ON suites (site_id, id);

-- planned → running → done. The id is that of the request, so that a repeat of it finds its run.
CREATE TABLE suite_runs (
    id              text             PRIMARY KEY,
    suite_id        text             NOT NULL,
    suite_name      text             NOT NULL,
    purpose         text             NOT NULL,
    system_id       text             NOT NULL,
    site_id         text             NOT NULL,
    state           text             NOT NULL,
    reason          text             NOT NULL,
    about           text,
    requested_by    text             NOT NULL,
    requested_at    timestamptz      NOT NULL,
    timeout_seconds double precision NOT NULL,
    settings        jsonb            NOT NULL,
    started_at      timestamptz,
    deadline        timestamptz,
    finished_at     timestamptz,
    outcome         text,
    detail          text             NOT NULL,
    counts          jsonb            NOT NULL,
    interfaces      jsonb            NOT NULL,
    functions       jsonb            NOT NULL,
    report          text,
    version         integer          NOT NULL,
    correlation_id  text             NOT NULL,
    causation_id    text,
    next_try        timestamptz      NOT NULL DEFAULT now()
);
CREATE INDEX suite_runs_undone ON suite_runs (requested_at) WHERE state <> 'done';
CREATE INDEX suite_runs_of_system ON suite_runs (system_id, id);

-- The ledger: planned → leased → done, each item once.
CREATE TABLE suite_items (
    run_id          text             NOT NULL REFERENCES suite_runs (id),
    position        integer          NOT NULL,
    name            text             NOT NULL,
    function        text             NOT NULL,
    interface       text             NOT NULL,
    kind            text             NOT NULL,
    subject         text,
    subject_name    text             NOT NULL,
    required        boolean          NOT NULL,
    is_heavy        boolean          NOT NULL,
    settings        jsonb            NOT NULL,
    expectation     jsonb            NOT NULL,
    timeout_seconds double precision NOT NULL,
    vantage         text,
    state           text             NOT NULL,
    attempts        integer          NOT NULL,
    started_at      timestamptz,
    finished_at     timestamptz,
    verdict         text,
    failure         text,
    detail          text             NOT NULL,
    outcome         text,
    rejection       integer[],
    status          text,
    phases          jsonb            NOT NULL,
    measures        jsonb            NOT NULL,
    facts           jsonb            NOT NULL,
    evidence        text,
    lease           text,
    leased_until    timestamptz,
    PRIMARY KEY (run_id, position)
);
CREATE INDEX suite_items_undone ON suite_items (run_id, position) WHERE state <> 'done';
CREATE INDEX suite_items_of_vantage ON suite_items (vantage) WHERE state <> 'done' AND vantage IS NOT NULL;
CREATE INDEX suite_items_heavy ON suite_items (leased_until) WHERE is_heavy AND state = 'leased';

-- What was seen, kept under its SHA-256.
CREATE TABLE evidence (
    sha256     text  PRIMARY KEY,
    media_type text  NOT NULL,
    content    bytea NOT NULL
);

-- What peers negotiate.
CREATE TABLE conformance (
    id               text        PRIMARY KEY,
    run_id           text        NOT NULL,
    position         integer     NOT NULL,
    subject          text,
    subject_name     text        NOT NULL,
    site_id          text        NOT NULL,
    ae_title         text        NOT NULL,
    calling_ae_title text        NOT NULL,
    taken_at         timestamptz NOT NULL,
    accepted         integer     NOT NULL,
    refused          integer     NOT NULL,
    missing          integer     NOT NULL,
    cells            jsonb       NOT NULL,
    UNIQUE (run_id, position)
);
CREATE INDEX conformance_of_subject ON conformance (subject, id);

-- The address at which each node was last put up for a negotiation.
CREATE TABLE negotiated_nodes (
    id      text  PRIMARY KEY,
    address jsonb NOT NULL
);
