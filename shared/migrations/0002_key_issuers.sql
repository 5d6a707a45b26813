-- Who stands behind an API key, and so is no second person beside it.
ALTER TABLE api_keys ADD COLUMN issued_by text;
