-- Replaces a wide index by one for equality of metadata. As Tiled's own migration 3e87cbeb195b does it.
DROP INDEX IF EXISTS top_level_metadata;

SET LOCAL maintenance_work_mem = '1GB';

CREATE INDEX IF NOT EXISTS ix_nodes_metadata ON nodes USING gin (metadata jsonb_path_ops);
