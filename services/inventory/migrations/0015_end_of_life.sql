-- What each component's end of life was when it was looked at last: on the day ``seen_on`` at its site, by ``seen_facts``.
CREATE TABLE ends_of_life (
    asset_id     text    PRIMARY KEY REFERENCES assets,
    site_id      text    NOT NULL,
    type         text    NOT NULL,
    ends_on      date,
    ground       text,
    order_by     date,
    candidates   jsonb   NOT NULL,
    unknown      text[]  NOT NULL,
    seen_on      date    NOT NULL,
    seen_facts   text    NOT NULL
);
CREATE INDEX ends_of_life_of_site ON ends_of_life (site_id, asset_id);
CREATE INDEX ends_of_life_by_day ON ends_of_life (ends_on, asset_id);

CREATE TABLE end_rules (
    type    text    PRIMARY KEY,
    rule    jsonb   NOT NULL,
    version integer NOT NULL
);

CREATE TABLE replacement_orders (
    id           text    PRIMARY KEY,
    asset_id     text    NOT NULL REFERENCES assets,
    site_id      text    NOT NULL,
    name         text    NOT NULL,
    type         text    NOT NULL,
    state        text    NOT NULL,
    due          date    NOT NULL,
    order_by     date    NOT NULL,
    ground       text    NOT NULL,
    why          text    NOT NULL,
    reference    text,
    waived_until date,
    reason       text,
    version      integer NOT NULL
);
CREATE UNIQUE INDEX one_open_order_per_component ON replacement_orders (asset_id) WHERE state <> 'settled';
CREATE INDEX orders_of_site ON replacement_orders (site_id, id);

-- The advisories of components that are not closed, as they were told of last.
CREATE TABLE advisories (
    asset_id    text    NOT NULL REFERENCES assets,
    advisory_id text    NOT NULL,
    state       text    NOT NULL,
    version     integer NOT NULL,
    PRIMARY KEY (asset_id, advisory_id)
);
