-- What persons and imports want to be asked; each that can be asked has a row in probes.
CREATE TABLE checks (
    id                     text             PRIMARY KEY,
    subject                text             NOT NULL,
    site_id                text             NOT NULL,
    kind                   text             NOT NULL,
    name                   text             NOT NULL,
    settings               jsonb            NOT NULL,
    interval_seconds       double precision NOT NULL,
    retry_interval_seconds double precision NOT NULL,
    timeout_seconds        double precision NOT NULL,
    vantage                text,
    depends_on             text[]           NOT NULL,
    limits                 jsonb            NOT NULL,
    severity               text,
    reachability           boolean,
    enabled                boolean          NOT NULL,
    version                integer          NOT NULL
);
CREATE UNIQUE INDEX checks_names ON checks (subject, name);
CREATE INDEX checks_of_site ON checks (site_id, id);
