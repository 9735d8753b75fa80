-- Drops an index that no query uses. As Tiled's own migration 3e87cbeb195b does it.
DROP INDEX IF EXISTS top_level_metadata;
