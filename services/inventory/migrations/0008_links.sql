-- Links from one asset to another. Only replicas and stand-ins may stand at another site than what they stand in for.
CREATE TABLE links (
    id         text    PRIMARY KEY,
    site_id    text    NOT NULL REFERENCES sites,
    kind       text    NOT NULL,
    from_id    text    NOT NULL REFERENCES assets,
    to_id      text    NOT NULL REFERENCES assets,
    to_site_id text    NOT NULL REFERENCES sites,
    cable      jsonb,
    services   text[]  NOT NULL,
    note       text,
    version    integer NOT NULL,
    CHECK (from_id <> to_id),
    CHECK (site_id = to_site_id OR kind IN ('replicates_to', 'fails_over_to')),
    CHECK (cable IS NULL OR kind = 'connected_to')
);
CREATE UNIQUE INDEX one_link_per_pair ON links (from_id, to_id, kind) WHERE kind <> 'connected_to';
CREATE INDEX links_from ON links (from_id, kind);
CREATE INDEX links_to ON links (to_id, kind);
CREATE INDEX links_of_site ON links (site_id, id);

-- A port takes one cable, whichever end of it.
CREATE TABLE plugs (
    asset_id text NOT NULL REFERENCES assets,
    port     text NOT NULL,
    link_id  text NOT NULL REFERENCES links ON DELETE CASCADE,
    PRIMARY KEY (asset_id, port)
);
CREATE INDEX plugs_of_link ON plugs (link_id);

-- What an asset can't do without: what it was linked to as such, what it is built into, and for a node its system.
CREATE VIEW needs AS
    SELECT from_id AS asset_id, to_id AS needed_id, kind AS via FROM links WHERE kind IN ('depends_on', 'powered_by')
    UNION ALL
    SELECT asset_id, installed_in, 'installed_in' FROM components WHERE installed_in IS NOT NULL
    UNION ALL
    SELECT id, system_id, 'belongs_to' FROM assets WHERE kind = 'node';
