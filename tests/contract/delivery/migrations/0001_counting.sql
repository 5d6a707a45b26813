-- The effect. Nothing here forbids a double: the tests look for them.
CREATE TABLE applied (place bigint GENERATED ALWAYS AS IDENTITY, subject text NOT NULL, n int NOT NULL);

CREATE FUNCTION tell_of_change() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN NOTIFY counting_changed; RETURN NULL; END $$;
CREATE TRIGGER tell AFTER INSERT ON applied FOR EACH STATEMENT EXECUTE FUNCTION tell_of_change();
CREATE TRIGGER tell AFTER INSERT OR UPDATE ON quarantine FOR EACH STATEMENT EXECUTE FUNCTION tell_of_change();
