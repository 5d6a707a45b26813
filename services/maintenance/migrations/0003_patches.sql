CREATE TABLE patches (
    id           text        PRIMARY KEY,
    site_id      text        NOT NULL,
    system_id    text        NOT NULL,
    from_version text        NOT NULL,
    to_version   text        NOT NULL,
    applied_at   timestamptz NOT NULL,
    summary      text        NOT NULL,
    recorded_at  timestamptz NOT NULL,
    recorded_by  text        NOT NULL,
    version      integer     NOT NULL
);
CREATE INDEX patches_by_system ON patches (system_id, id);
