-- Whether any partition was pruned. It is volatile: called beside a page, it sees what was pruned while that was read, and
-- so nothing can be missing from a page that is not told of.
CREATE FUNCTION is_any_pruned() RETURNS boolean
LANGUAGE plpgsql VOLATILE SET search_path FROM CURRENT AS $$
BEGIN
    RETURN EXISTS (SELECT FROM partitions WHERE pruned_at IS NOT NULL);
END $$;
