-- wire_address is the e-mail address as SMTP carries it, in lower case: two spellings of one mailbox are the same.
CREATE TABLE people (
    id           text    PRIMARY KEY,
    site_id      text    NOT NULL REFERENCES sites,
    name         text    NOT NULL,
    email        text    NOT NULL,
    wire_address text    NOT NULL,
    roles        text[]  NOT NULL,
    active       boolean NOT NULL,
    version      integer NOT NULL,
    CONSTRAINT one_person_per_address UNIQUE (site_id, wire_address)
);
