CREATE TABLE issued_keys (
    id         text        PRIMARY KEY,
    name       text        NOT NULL UNIQUE,
    sha256     text        NOT NULL UNIQUE,
    grants     text[]      NOT NULL,
    issued_by  text        NOT NULL,
    issued_at  timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    revoked_by text,
    revoked_at timestamptz,
    version    integer     NOT NULL
);
