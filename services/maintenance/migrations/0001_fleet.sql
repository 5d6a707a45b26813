-- What maintenance keeps of inventory's state.

CREATE TABLE sites (
    id        text    PRIMARY KEY,
    time_zone text    NOT NULL,
    version   integer NOT NULL
);

-- unconfirmed: versions of patches recorded here, oldest first, that inventory has not told of yet.
CREATE TABLE systems (
    id               text    PRIMARY KEY,
    site_id          text    NOT NULL,
    name             text    NOT NULL,
    state            text    NOT NULL,
    version          integer NOT NULL,
    reported_version text,
    unconfirmed      text[]  NOT NULL DEFAULT '{}'
);
