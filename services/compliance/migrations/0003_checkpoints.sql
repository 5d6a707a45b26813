-- Each manifest, with the lines of its sites packed by zstd: they prove one site's head without showing the others.
CREATE TABLE manifests (
    size  bigint PRIMARY KEY,
    root  bytea NOT NULL CHECK (octet_length(root) = 32),
    lines bytea NOT NULL
);

-- Published checkpoints: the signed note without cosignatures, which come later and one by one.
CREATE TABLE checkpoints (
    size         bigint PRIMARY KEY REFERENCES manifests,
    note         text        NOT NULL,
    published_at timestamptz NOT NULL
);
CREATE TABLE cosignatures (
    size    bigint NOT NULL REFERENCES checkpoints,
    witness text   NOT NULL,
    line    text   NOT NULL,
    PRIMARY KEY (size, witness)
);

REVOKE UPDATE, DELETE, TRUNCATE ON manifests, checkpoints, cosignatures FROM steward_compliance;
