-- Groups of sites, and where a site lies. A gateway is the host that is asked when a whole site is silent.
CREATE TABLE site_groups (
    id        text    PRIMARY KEY,
    name      text    NOT NULL,
    parent_id text    REFERENCES site_groups,
    version   integer NOT NULL,
    CONSTRAINT one_group_per_name UNIQUE NULLS NOT DISTINCT (parent_id, name)
);

ALTER TABLE sites
    ADD COLUMN latitude  double precision,
    ADD COLUMN longitude double precision,
    ADD COLUMN gateway   text,
    ADD COLUMN group_id  text REFERENCES site_groups,
    ADD COLUMN address   text,
    ADD CONSTRAINT both_coordinates CHECK (num_nonnulls(latitude, longitude) <> 1);
CREATE INDEX sites_of_group ON sites (group_id) WHERE group_id IS NOT NULL;
