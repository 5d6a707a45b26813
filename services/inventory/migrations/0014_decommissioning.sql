CREATE TABLE recyclers (
    id           text    PRIMARY KEY,
    name         text    NOT NULL UNIQUE,
    certificates jsonb   NOT NULL,
    downstream   text[]  NOT NULL,
    version      integer NOT NULL
);

-- The links of each asset's chain of custody. Nothing of them changes; two that are recorded at once meet at the key.
CREATE TABLE custody (
    asset_id    text        NOT NULL REFERENCES assets,
    number      integer     NOT NULL,
    id          text        NOT NULL UNIQUE,
    site_id     text        NOT NULL,
    kind        text        NOT NULL,
    from_holder text        NOT NULL,
    to_holder   text        NOT NULL,
    at          timestamptz NOT NULL,
    place       text        NOT NULL,
    seal        text,
    person      text        NOT NULL,
    recycler_id text        REFERENCES recyclers,
    certificate jsonb,
    recorded_by text        NOT NULL,
    recorded_at timestamptz NOT NULL,
    PRIMARY KEY (asset_id, number),
    CHECK (number > 0),
    CHECK ((recycler_id IS NULL) = (certificate IS NULL)),
    CHECK (kind <> 'picked_up' OR recycler_id IS NOT NULL)
);

-- What recyclers have taken, by their manifests; a component is on one of them.
CREATE TABLE disposals (
    id          text             PRIMARY KEY,
    asset_id    text             NOT NULL REFERENCES assets,
    site_id     text             NOT NULL,
    recycler_id text             NOT NULL REFERENCES recyclers,
    recycler    text             NOT NULL,
    downstream  text[]           NOT NULL,
    reference   text             NOT NULL,
    weight_kg   double precision NOT NULL,
    sha256      text             NOT NULL,
    recorded_by text             NOT NULL,
    recorded_at timestamptz      NOT NULL
);
CREATE INDEX disposals_of_asset ON disposals (asset_id, id);
CREATE TABLE disposal_lines (
    asset_id     text             PRIMARY KEY REFERENCES assets,
    disposal_id  text             NOT NULL REFERENCES disposals,
    type         text             NOT NULL,
    serial       text             NOT NULL,
    manufacturer text,
    model        text,
    weight_kg    double precision NOT NULL,
    category     text             NOT NULL
);
CREATE INDEX lines_of_disposal ON disposal_lines (disposal_id);

-- The events that tell what became of assets, as inventory heard itself say them: which bytes are in the audit log.
CREATE TABLE told_events (
    id       text        PRIMARY KEY,
    asset_id text        NOT NULL,
    type     text        NOT NULL,
    at       timestamptz NOT NULL,
    sha256   text        NOT NULL
);
CREATE INDEX told_of_asset ON told_events (asset_id, id);
CREATE INDEX facts_by_subject ON event_facts (subject, type);

-- The sealed dossiers of an asset, the newest of which counts. sha256 is that of the manifest, record_sha256 that of the
-- part of it which tells the asset's life.
CREATE TABLE dossiers (
    id            text        PRIMARY KEY,
    asset_id      text        NOT NULL REFERENCES assets,
    site_id       text        NOT NULL,
    version       integer     NOT NULL,
    sha256        text        NOT NULL,
    record_sha256 text        NOT NULL,
    manifest      bytea       NOT NULL,
    pdf           bytea       NOT NULL,
    size          bigint      NOT NULL,
    sealed_by     text        NOT NULL,
    sealed_at     timestamptz NOT NULL,
    UNIQUE (asset_id, version)
);
-- The files of a dossier in their order, manifest and PDF included.
CREATE TABLE dossier_files (
    dossier_id text    NOT NULL REFERENCES dossiers,
    number     integer NOT NULL,
    path       text    NOT NULL,
    size       bigint  NOT NULL,
    sha256     text    NOT NULL,
    crc32      bigint  NOT NULL,
    PRIMARY KEY (dossier_id, number)
);
CREATE TABLE dossier_signatures (
    id         text        PRIMARY KEY,
    dossier_id text        NOT NULL REFERENCES dossiers,
    signer     text        NOT NULL,
    role       text        NOT NULL,
    statement  text        NOT NULL,
    signed_at  timestamptz NOT NULL,
    UNIQUE (dossier_id, signer)
);
