-- Contracts with vendors. A contract of the group has the site 'group', which is no row of sites.
CREATE TABLE contracts (
    id          text    PRIMARY KEY,
    site_id     text    NOT NULL,
    kind        text    NOT NULL,
    vendor_id   text    NOT NULL REFERENCES vendors,
    number      text    NOT NULL,
    starts      date    NOT NULL,
    ends        date,
    review_on   date,
    notice_days integer NOT NULL,
    escalation  jsonb   NOT NULL,
    contact     jsonb,
    document_id text,
    renewed_by  text    REFERENCES contracts,
    let_lapse   boolean NOT NULL,
    version     integer NOT NULL,
    CONSTRAINT one_contract_per_number UNIQUE (site_id, vendor_id, kind, number),
    CHECK (num_nonnulls(ends, review_on) = 1)
);
CREATE INDEX contracts_of_site ON contracts (site_id, id);
CREATE INDEX contracts_of_vendor ON contracts (vendor_id, id);
CREATE INDEX contracts_by_term ON contracts ((coalesce(ends, review_on) - notice_days))
    WHERE NOT let_lapse AND renewed_by IS NULL;

CREATE TABLE contract_assets (
    contract_id text NOT NULL REFERENCES contracts,
    asset_id    text NOT NULL REFERENCES assets,
    PRIMARY KEY (contract_id, asset_id)
);
CREATE INDEX contracts_of_asset ON contract_assets (asset_id, contract_id);

-- The alerts of a term that have not been resolved. The key is what makes each of them one.
CREATE TABLE contract_alerts (
    contract_id text        NOT NULL REFERENCES contracts,
    stage       text        NOT NULL,
    term        date        NOT NULL,
    alert_id    text        NOT NULL,
    asset_name  text        NOT NULL,
    raised_at   timestamptz NOT NULL,
    PRIMARY KEY (contract_id, stage)
);
