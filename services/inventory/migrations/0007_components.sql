ALTER TABLE assets
    ADD COLUMN environment  text,
    ADD COLUMN deployment   text,
    ADD COLUMN mirrors      text REFERENCES assets,
    ADD COLUMN cluster      text,
    ADD COLUMN cluster_role text;
UPDATE assets SET environment = 'production', deployment = 'on_premises' WHERE kind = 'system';
ALTER TABLE assets
    DROP CONSTRAINT assets_check,
    ADD CONSTRAINT facts_of_kind CHECK (CASE kind
        WHEN 'system' THEN num_nonnulls(vendor, product, software_version, environment, deployment) = 5
                       AND num_nonnulls(system_id, ae_title, host, port, role, cluster, cluster_role) = 0
                       AND (mirrors IS NULL OR environment <> 'production')
        WHEN 'node'   THEN num_nonnulls(vendor, product, software_version, environment, deployment, mirrors) = 0
                       AND num_nonnulls(system_id, ae_title, host, port, role) = 5
                       AND num_nonnulls(cluster, cluster_role) <> 1
        WHEN 'component' THEN num_nonnulls(vendor, product, software_version, environment, deployment, mirrors,
                                           ae_title, port, role, cluster, cluster_role) = 0
        ELSE false
    END),
    ADD CONSTRAINT place_and_state UNIQUE (id, site_id, state);
CREATE INDEX mirrors_of_system ON assets (mirrors) WHERE mirrors IS NOT NULL;
CREATE INDEX assets_of_site ON assets (site_id, id);
CREATE INDEX assets_by_kind ON assets (kind, id) WHERE kind <> 'component';
DROP INDEX nodes_of_system;
CREATE INDEX assets_of_system ON assets (system_id, id) WHERE system_id IS NOT NULL;

-- What is known of the assets of the kind component. Site and state are copies, which the foreign key keeps true, so
-- that a list can be filtered along one index. The keys are serial, tag, manufacturer and model in one spelling; within a
-- maker_key a serial is one: a vendor of the catalogue, another maker's name, or the site where no maker is known.
-- search_text is all that is searched, in lower case.
CREATE TABLE components (
    asset_id         text   PRIMARY KEY,
    site_id          text   NOT NULL,
    state            text   NOT NULL,
    type             text   NOT NULL,
    installed_in     text   REFERENCES components,
    manufacturer     text,
    model            text,
    product_id       text,
    serial           text,
    asset_tag        text,
    software_version text,
    purchase_date    date,
    installed_on     date,
    warranty_until   date,
    capacity_bytes   bigint,
    media_type       text,
    raid_level       text,
    fields           jsonb  NOT NULL,
    manufacturer_key text   NOT NULL,
    maker_key        text   NOT NULL,
    model_key        text,
    serial_key       text,
    tag_key          text,
    search_text      text   NOT NULL,
    FOREIGN KEY (asset_id, site_id, state) REFERENCES assets (id, site_id, state) ON UPDATE CASCADE
);
CREATE UNIQUE INDEX one_live_component_per_serial ON components (maker_key, serial_key)
    WHERE serial_key IS NOT NULL AND state NOT IN ('closed', 'cancelled');
CREATE UNIQUE INDEX one_live_component_per_tag ON components (site_id, tag_key)
    WHERE tag_key IS NOT NULL AND state NOT IN ('closed', 'cancelled');
CREATE INDEX components_by_serial ON components (serial_key, asset_id) WHERE serial_key IS NOT NULL;
CREATE INDEX components_by_tag ON components (tag_key, asset_id) WHERE tag_key IS NOT NULL;
CREATE INDEX components_of_site ON components (site_id, asset_id);
CREATE INDEX components_of_type ON components (type, asset_id);
CREATE INDEX components_in_state ON components (state, asset_id) WHERE state <> 'in_service';
CREATE INDEX components_in_component ON components (installed_in, asset_id) WHERE installed_in IS NOT NULL;
CREATE INDEX components_of_model ON components (manufacturer_key, model_key, asset_id);
CREATE INDEX components_by_model ON components (model_key, asset_id) WHERE model_key IS NOT NULL;
CREATE INDEX components_of_product ON components (product_id, asset_id) WHERE product_id IS NOT NULL;
CREATE INDEX components_by_software ON components (software_version, asset_id) WHERE software_version IS NOT NULL;
CREATE INDEX components_by_purchase ON components (purchase_date, asset_id) WHERE purchase_date IS NOT NULL;
CREATE INDEX components_by_fields ON components USING gin (fields jsonb_path_ops);

-- The extension may stand in another schema than this one, where an administrator has made it.
CREATE EXTENSION IF NOT EXISTS pg_trgm;
DO $$
DECLARE place name := (SELECT nspname FROM pg_extension JOIN pg_namespace ON pg_namespace.oid = extnamespace
                       WHERE extname = 'pg_trgm');
BEGIN
    EXECUTE format('CREATE INDEX components_by_words ON components USING gin (search_text %I.gin_trgm_ops)', place);
END $$;

CREATE TABLE component_fields (
    id             text    PRIMARY KEY,
    component_type text    NOT NULL,
    name           text    NOT NULL,
    label          text    NOT NULL,
    kind           text    NOT NULL,
    required       boolean NOT NULL,
    unit           text,
    minimum        double precision,
    maximum        double precision,
    choices        text[],
    version        integer NOT NULL,
    CONSTRAINT one_field_per_name UNIQUE (component_type, name)
);

-- The newest value of each counter of an asset.
CREATE TABLE usage (
    asset_id text             NOT NULL REFERENCES assets,
    counter  text             NOT NULL,
    value    double precision NOT NULL,
    at       timestamptz      NOT NULL,
    told_by  text             NOT NULL,
    PRIMARY KEY (asset_id, counter)
);
