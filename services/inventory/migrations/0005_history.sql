-- One row for each state that a thing has been in. What it was before is the row of its version before; the state of what
-- was taken away is null. A thing never changes its site.
CREATE TABLE revisions (
    id             text        NOT NULL,
    kind           text        NOT NULL,
    thing_id       text        NOT NULL,
    version        integer     NOT NULL,
    site_id        text        NOT NULL,
    at             timestamptz NOT NULL,
    actor          text        NOT NULL,
    reason         text,
    correlation_id text        NOT NULL,
    state          jsonb,
    PRIMARY KEY (kind, thing_id, version)
);
CREATE UNIQUE INDEX revisions_in_order ON revisions (id);
CREATE INDEX revisions_of_site ON revisions (site_id, id);
CREATE INDEX revisions_of_site_by_thing ON revisions (site_id, kind, thing_id, version DESC);
