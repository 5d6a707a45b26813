CREATE TABLE sites (
    id        text    PRIMARY KEY,
    name      text    NOT NULL,
    time_zone text    NOT NULL,
    version   integer NOT NULL DEFAULT 1
);
