-- A login is the subject of a person's token. One and the same person may be known at several sites.
ALTER TABLE people
    ADD COLUMN phone       text,
    ADD COLUMN login       text,
    ADD COLUMN employer_id text REFERENCES vendors,
    ADD COLUMN competences jsonb NOT NULL DEFAULT '[]',
    ADD CONSTRAINT one_person_per_login UNIQUE (site_id, login);
CREATE INDEX people_of_vendor ON people (employer_id) WHERE employer_id IS NOT NULL;
