-- Who is behind a name in the audit trail is asked of all sites at once.
CREATE INDEX people_by_login ON people (login) WHERE login IS NOT NULL;
