-- What people at the hospital have seen for themselves, and what the probes saw at that moment: exact bytes of JSON,
-- whose digest is in the event.
CREATE TABLE reports (
    id          text        PRIMARY KEY,
    version     integer     NOT NULL,
    site_id     text        NOT NULL,
    system_id   text,
    asset_name  text        NOT NULL,
    summary     text        NOT NULL,
    details     text        NOT NULL,
    place       text,
    contact     text,
    happened_at timestamptz NOT NULL,
    filed_at    timestamptz NOT NULL,
    filed_by    text        NOT NULL,
    alert_id    text        NOT NULL,
    evidence    text        NOT NULL,
    sha256      text        NOT NULL,
    closed_at   timestamptz,
    closed_by   text,
    outcome     text
);
CREATE INDEX reports_of_site ON reports (site_id, id);
CREATE INDEX reports_of_person ON reports (filed_by, filed_at);
CREATE INDEX reports_of_alert ON reports (alert_id);
CREATE INDEX reports_open ON reports (site_id, system_id) WHERE closed_at IS NULL;
