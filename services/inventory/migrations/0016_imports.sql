-- Files that are taken in as a whole or not at all. What was read is kept in pieces until the job has ended; who runs it holds
-- an advisory lock for as long as his transaction, so that a job whose runner has died is free at once.
CREATE TABLE imports (
    id             text        PRIMARY KEY,
    site_id        text        NOT NULL,
    kind           text        NOT NULL,
    format         text        NOT NULL,
    name           text        NOT NULL,
    size           bigint      NOT NULL,
    sha256         text        NOT NULL,
    dry_run        boolean     NOT NULL,
    errors         text        NOT NULL,
    usual          jsonb       NOT NULL,
    reason         text,
    made_by        text        NOT NULL,
    made_at        timestamptz NOT NULL,
    grants         text[]      NOT NULL,
    correlation_id text        NOT NULL,
    state          text        NOT NULL DEFAULT 'waiting',
    attempts       integer     NOT NULL DEFAULT 0,
    applied        boolean     NOT NULL DEFAULT false,
    fault          text,
    rows_expected  bigint,
    rows_read      bigint      NOT NULL DEFAULT 0,
    created        bigint      NOT NULL DEFAULT 0,
    changed        bigint      NOT NULL DEFAULT 0,
    same           bigint      NOT NULL DEFAULT 0,
    refused        bigint      NOT NULL DEFAULT 0,
    started_at     timestamptz,
    ended_at       timestamptz,
    version        integer     NOT NULL DEFAULT 1
);
CREATE INDEX imports_of_site ON imports (site_id, id);
CREATE INDEX imports_unfinished ON imports (id) WHERE state IN ('waiting', 'running');

CREATE TABLE import_pieces (
    import_id text    NOT NULL REFERENCES imports ON DELETE CASCADE,
    number    integer NOT NULL,
    bytes     bytea   NOT NULL,
    PRIMARY KEY (import_id, number)
);

-- What became of each row that is not as it was: told has changes as [field, before, after], or
-- faults as [field, rule, example].
CREATE TABLE import_rows (
    import_id text   NOT NULL REFERENCES imports ON DELETE CASCADE,
    number    bigint NOT NULL,
    kind      text   NOT NULL,
    place     text   NOT NULL,
    what      text   NOT NULL,
    thing_id  text,
    name      text,
    told      jsonb  NOT NULL,
    PRIMARY KEY (import_id, number)
);
CREATE INDEX import_rows_by_what ON import_rows (import_id, what, number);

-- A component is found by its name at its site where it has neither a serial number nor a tag.
CREATE INDEX components_by_name ON assets (site_id, name) WHERE kind = 'component';

-- What a counter stands at is one row of an import, which has one name.
CREATE INDEX usage_by_name ON usage ((asset_id || '/' || counter));
