-- All that proofs are made of, in one round trip: of the tree of `tree_size` entries, or else of the newest checkpoint's,
-- the tiles on the way from each of these leaves to the root, and those at its right edge. Level 0 comes in chunks of 64
-- hashes, as far as the log has grown; the levels above in tiles. `published` is the newest checkpoint's size. Which
-- indexes are read is clear without the values, so it is not planned for each time. It is volatile, so that each statement
-- sees what was committed before it got its locks: of a partition that is being pruned it finds the chunks or, once they
-- are dropped, the leaf hashes that are kept.
CREATE FUNCTION tiles_of_proofs(
    indices bigint[], tree_size bigint,
    OUT published bigint, OUT starts bigint[], OUT leaves bytea[],
    OUT levels smallint[], OUT numbers bigint[], OUT tiles bytea[]
) LANGUAGE plpgsql SET search_path FROM CURRENT SET plan_cache_mode = force_generic_plan AS $$
DECLARE
    edge          bigint;
    wanted_starts bigint[];
BEGIN
    published := (SELECT max(size) FROM checkpoints);
    edge := coalesce(tree_size, published);
    wanted_starts := ARRAY(SELECT DISTINCT (index & ~255) + chunk
                           FROM unnest(indices || edge) AS index, unnest('{0, 64, 128, 192}'::bigint[]) AS chunk);
    SELECT coalesce(array_agg(here.start), '{}'), coalesce(array_agg(here.hashes), '{}') INTO starts, leaves FROM (
        SELECT start, hashes FROM chunks WHERE start = ANY (wanted_starts)
        UNION ALL SELECT start, hashes FROM leaf_hashes WHERE start = ANY (wanted_starts)
        UNION ALL SELECT size - size % 64, tail_hashes FROM head WHERE size - size % 64 = ANY (wanted_starts)) AS here;
    SELECT coalesce(array_agg(tile.level), '{}'), coalesce(array_agg(tile.number), '{}'),
           coalesce(array_agg(tile.hashes), '{}') INTO levels, numbers, tiles FROM (
        SELECT way.level, way.number, coalesce((
            SELECT string_agg(s.hash, '' ORDER BY s.number) FROM subtrees s
            WHERE s.level = way.level AND s.number >= way.number << 8 AND s.number < (way.number + 1) << 8), '') AS hashes
        FROM (SELECT DISTINCT level::smallint AS level, index >> (8 * level + 8) AS number
              FROM generate_series(1, 7) AS level, unnest(indices || edge) AS index
              WHERE edge >> (8 * level) > 0) AS way) AS tile;
END $$;
