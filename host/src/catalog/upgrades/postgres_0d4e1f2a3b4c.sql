-- Adds the parent of a node to its access tags. As Tiled's own migration 0d4e1f2a3b4c does it.
ALTER TABLE node_access_tags_association ADD COLUMN parent_id INTEGER;

CREATE FUNCTION node_access_tags_set_parent()
RETURNS TRIGGER AS $$
BEGIN
    SELECT parent INTO NEW.parent_id FROM nodes WHERE id = NEW.node_id;
    RETURN NEW;
END;
$$ LANGUAGE plpgsql;

CREATE TRIGGER node_access_tags_set_parent
BEFORE INSERT OR UPDATE OF node_id ON node_access_tags_association
FOR EACH ROW
EXECUTE FUNCTION node_access_tags_set_parent();

CREATE FUNCTION node_access_tags_sync_parent_after_node_update()
RETURNS TRIGGER AS $$
BEGIN
    UPDATE node_access_tags_association
    SET parent_id = NEW.parent
    WHERE node_id = NEW.id;
    RETURN NEW;
END;
$$ LANGUAGE plpgsql;

CREATE TRIGGER node_access_tags_sync_parent_after_node_update
AFTER UPDATE OF parent ON nodes
FOR EACH ROW
WHEN (NEW.parent IS DISTINCT FROM OLD.parent)
EXECUTE FUNCTION node_access_tags_sync_parent_after_node_update();

SET LOCAL work_mem = '256MB';

UPDATE node_access_tags_association AS assignment
SET parent_id = node.parent
FROM nodes AS node
WHERE node.id = assignment.node_id
  AND assignment.parent_id IS DISTINCT FROM node.parent;

SET LOCAL maintenance_work_mem = '1GB';

CREATE INDEX ix_node_access_tags_association_parent_id_tag_id_node_id ON node_access_tags_association (parent_id, tag_id, node_id);

CREATE STATISTICS IF NOT EXISTS node_access_tags_association_parent_id_tag_id_node_id_stats
(dependencies, ndistinct, mcv) ON parent_id, tag_id FROM node_access_tags_association;

ANALYZE node_access_tags_association;
