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
