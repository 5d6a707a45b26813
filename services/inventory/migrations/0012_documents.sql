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
CREATE INDEX versions_of_change ON document_versions (change_id, document_id) WHERE change_id IS NOT NULL;

-- Which assets the newest version of each document belongs to.
CREATE TABLE document_assets (
    asset_id    text NOT NULL REFERENCES assets,
    document_id text NOT NULL REFERENCES documents,
    PRIMARY KEY (asset_id, document_id)
);
CREATE INDEX assets_of_document ON document_assets (document_id);
