-- The catalogue of the group. A spelling is what the ways to write a name have in common; it stands for one vendor.
CREATE TABLE vendors (
    id      text    PRIMARY KEY,
    name    text    NOT NULL,
    aliases text[]  NOT NULL,
    version integer NOT NULL
);
CREATE TABLE vendor_spellings (
    spelling  text PRIMARY KEY,
    vendor_id text NOT NULL REFERENCES vendors
);
CREATE INDEX spellings_of_vendor ON vendor_spellings (vendor_id);

CREATE TABLE products (
    id        text    PRIMARY KEY,
    vendor_id text    NOT NULL REFERENCES vendors,
    name      text    NOT NULL,
    aliases   text[]  NOT NULL,
    type      text    NOT NULL,
    cpe       text,
    purl      text,
    support   jsonb   NOT NULL,
    version   integer NOT NULL
);
CREATE INDEX products_of_vendor ON products (vendor_id, id);
CREATE TABLE product_spellings (
    vendor_id  text NOT NULL REFERENCES vendors,
    spelling   text NOT NULL,
    product_id text NOT NULL REFERENCES products,
    PRIMARY KEY (vendor_id, spelling)
);
CREATE INDEX spellings_of_product ON product_spellings (product_id);

CREATE TABLE product_versions (
    id          text    PRIMARY KEY,
    product_id  text    NOT NULL REFERENCES products,
    number      text    NOT NULL,
    released_on date,
    support     jsonb   NOT NULL,
    version     integer NOT NULL,
    CONSTRAINT one_version_per_number UNIQUE (product_id, number)
);
