-- A file's bytes stand once, under their SHA-256, in pieces of 256 KiB: written by COPY and read one by one, so that neither
-- side ever holds the whole. Stored as they are: nearly all of these formats are packed already.
CREATE TABLE contents (
    sha256    text        PRIMARY KEY,
    size      bigint      NOT NULL,
    stored_at timestamptz NOT NULL
);
CREATE TABLE content_pieces (
    sha256 text    NOT NULL REFERENCES contents,
    number integer NOT NULL,
    bytes  bytea   NOT NULL,
    PRIMARY KEY (sha256, number)
);
ALTER TABLE content_pieces ALTER bytes SET STORAGE EXTERNAL;

-- What can change about a document stands in its versions, which stay; site_id is 'group' for what belongs to no single one.
CREATE TABLE documents (
    id      text    PRIMARY KEY,
    site_id text    NOT NULL,
    kind    text    NOT NULL,
    version integer NOT NULL,
    at_site text    GENERATED ALWAYS AS (nullif(site_id, 'group')) STORED REFERENCES sites
);
CREATE INDEX documents_of_site ON documents (site_id, id);
CREATE INDEX documents_of_kind ON documents (kind, id);

-- asset_sites says for each of asset_ids where it is: a document of the whole group shows to each only what is his.
CREATE TABLE document_versions (
    document_id text        NOT NULL REFERENCES documents,
    version     integer     NOT NULL,
    title       text        NOT NULL,
    asset_ids   text[]      NOT NULL,
    asset_sites text[]      NOT NULL,
    change_id   text,
    valid_until date,
    name        text        NOT NULL,
    media_type  text        NOT NULL,
    size        bigint      NOT NULL,
    sha256      text        NOT NULL REFERENCES contents,
    made_at     timestamptz NOT NULL,
    made_by     text        NOT NULL,
    PRIMARY KEY (document_id, version)
);
CREATE INDEX versions_of_content ON document_versions (sha256);
CREATE INDEX versions_that_end ON document_versions (valid_until, document_id) WHERE valid_until IS NOT NULL;
CREATE INDEX versions_of_change ON document_versions (change_id, document_id) WHERE change_id IS NOT NULL;

-- Which assets the newest version of each document belongs to.
CREATE TABLE document_assets (
    asset_id    text NOT NULL REFERENCES assets,
    document_id text NOT NULL REFERENCES documents,
    PRIMARY KEY (asset_id, document_id)
);
CREATE INDEX assets_of_document ON document_assets (document_id);

-- What each asset runs, by the SBOM that counts for it. unapproved is null where no approved list holds for the asset; due
-- marks what must be compared again, because a list has changed.
CREATE TABLE software_lists (
    asset_id        text        PRIMARY KEY REFERENCES assets,
    site_id         text        NOT NULL,
    document_id     text        NOT NULL REFERENCES documents,
    sha256          text        NOT NULL,
    items           integer     NOT NULL,
    unapproved      integer,
    taken_at        timestamptz NOT NULL,
    taken_by        text        NOT NULL,
    due             boolean     NOT NULL DEFAULT false,
    alert_id        text,
    alert_raised_at timestamptz,
    alert_told      text[]      NOT NULL DEFAULT '{}'
);
CREATE INDEX software_lists_due ON software_lists (asset_id) WHERE due;
CREATE INDEX software_lists_of_site ON software_lists (site_id);
CREATE INDEX software_lists_with_alert ON software_lists (asset_id) WHERE alert_id IS NOT NULL;

CREATE TABLE software_items (
    asset_id text    NOT NULL REFERENCES software_lists ON DELETE CASCADE,
    number   integer NOT NULL,
    type     text    NOT NULL,
    name     text    NOT NULL,
    version  text,
    purl     text,
    cpe      text,
    supplier text,
    hashes   text[]  NOT NULL,
    approved boolean,
    PRIMARY KEY (asset_id, number)
);
CREATE INDEX software_items_by_name ON software_items (lower(name), asset_id, number);
CREATE INDEX software_items_unapproved ON software_items (asset_id, number) WHERE NOT approved;

CREATE TABLE approved_software (
    id            text    PRIMARY KEY,
    site_id       text    NOT NULL,
    name          text    NOT NULL,
    versions      text,
    software_type text,
    asset_type    text,
    note          text    NOT NULL,
    version       integer NOT NULL,
    at_site       text    GENERATED ALWAYS AS (nullif(site_id, 'group')) STORED REFERENCES sites
);
CREATE INDEX approved_software_of_site ON approved_software (site_id, id);

-- What the maker of an asset answers about its security: the MDS2 form that counts for it.
CREATE TABLE mds2_forms (
    asset_id    text        PRIMARY KEY REFERENCES assets,
    site_id     text        NOT NULL,
    document_id text        NOT NULL REFERENCES documents,
    sha256      text        NOT NULL,
    answers     jsonb       NOT NULL,
    taken_at    timestamptz NOT NULL,
    taken_by    text        NOT NULL
);
