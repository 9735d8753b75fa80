-- Adds the parent of a node to its access tags. As Tiled's own migration 0d4e1f2a3b4c does it.
ALTER TABLE node_access_tags_association ADD COLUMN parent_id INTEGER;

CREATE TRIGGER node_access_tags_set_parent_after_insert
AFTER INSERT ON node_access_tags_association
BEGIN
    UPDATE node_access_tags_association
    SET parent_id = (SELECT parent FROM nodes WHERE id = NEW.node_id)
    WHERE node_id = NEW.node_id AND tag_id = NEW.tag_id;
END;

CREATE TRIGGER node_access_tags_set_parent_after_update
AFTER UPDATE OF node_id ON node_access_tags_association
BEGIN
    UPDATE node_access_tags_association
    SET parent_id = (SELECT parent FROM nodes WHERE id = NEW.node_id)
    WHERE node_id = NEW.node_id AND tag_id = NEW.tag_id;
END;

CREATE TRIGGER node_access_tags_sync_parent_after_node_update
AFTER UPDATE OF parent ON nodes
WHEN NEW.parent IS NOT OLD.parent
BEGIN
    UPDATE node_access_tags_association
    SET parent_id = NEW.parent
    WHERE node_id = NEW.id;
END;

UPDATE node_access_tags_association
SET parent_id = (SELECT parent FROM nodes WHERE nodes.id = node_access_tags_association.node_id);

CREATE INDEX ix_node_access_tags_association_parent_id_tag_id_node_id ON node_access_tags_association (parent_id, tag_id, node_id);
