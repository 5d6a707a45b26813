-- Systems and DICOM nodes. Each index holds one rule of services/inventory/assets for assets that have not ended.
CREATE TABLE assets (
    id               text    PRIMARY KEY,
    kind             text    NOT NULL,
    site_id          text    NOT NULL REFERENCES sites,
    name             text    NOT NULL,
    state            text    NOT NULL,
    version          integer NOT NULL,
    vendor           text,
    product          text,
    software_version text,
    system_id        text    REFERENCES assets,
    ae_title         text,
    host             text,
    port             integer,
    role             text,
    CHECK (CASE kind
        WHEN 'system' THEN num_nonnulls(vendor, product, software_version) = 3
                       AND num_nonnulls(system_id, ae_title, host, port, role) = 0
        WHEN 'node'   THEN num_nonnulls(vendor, product, software_version) = 0
                       AND num_nonnulls(system_id, ae_title, host, port, role) = 5
        ELSE false
    END)
);
CREATE UNIQUE INDEX one_live_system_per_name ON assets (site_id, name)
    WHERE kind = 'system' AND state NOT IN ('closed', 'cancelled');
CREATE UNIQUE INDEX one_live_node_per_address ON assets (site_id, host, port, ae_title)
    WHERE kind = 'node' AND state NOT IN ('closed', 'cancelled');
CREATE INDEX nodes_of_system ON assets (system_id);

CREATE TABLE transitions (
    id         text        PRIMARY KEY,
    asset_id   text        NOT NULL REFERENCES assets,
    from_state text        NOT NULL,
    to_state   text        NOT NULL,
    reason     text        NOT NULL,
    actor      text        NOT NULL,
    at         timestamptz NOT NULL
);
CREATE INDEX transitions_of_asset ON transitions (asset_id, id);
