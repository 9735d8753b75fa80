-- The search index of tiled-host in SQLite. Only built-in functions, so that rows written by any other program enter
-- it as well. `{ADD row}` and `{REMOVE row}` are made of the walk through the row's metadata (`index_sqlite.rs`).

CREATE TABLE tiled_host_state (version INTEGER NOT NULL, indexed_to INTEGER NOT NULL, ready INTEGER NOT NULL);

CREATE TABLE tiled_host_paths (id INTEGER PRIMARY KEY, path TEXT NOT NULL UNIQUE);

CREATE TABLE tiled_host_facts (
    path INTEGER NOT NULL, value NOT NULL, parent INTEGER NOT NULL, node INTEGER NOT NULL,
    PRIMARY KEY (path, value, parent, node)
) WITHOUT ROWID;

-- Rows put into these views enter and leave the index: SQLite finds a fact to delete by its whole key only so.
CREATE VIEW tiled_host_enter AS SELECT '' AS path, 0 AS value, 0 AS parent, 0 AS node WHERE 0;

CREATE TRIGGER tiled_host_1_enter INSTEAD OF INSERT ON tiled_host_enter BEGIN
    INSERT INTO tiled_host_paths (path)
        SELECT new.path WHERE NOT EXISTS (SELECT 1 FROM tiled_host_paths p WHERE p.path = new.path);
    INSERT OR IGNORE INTO tiled_host_facts (path, value, parent, node)
        SELECT p.id, new.value, new.parent, new.node FROM tiled_host_paths p WHERE p.path = new.path;
END;

CREATE VIEW tiled_host_leave AS SELECT '' AS path, 0 AS value, 0 AS parent, 0 AS node WHERE 0;

CREATE TRIGGER tiled_host_1_leave INSTEAD OF INSERT ON tiled_host_leave BEGIN
    DELETE FROM tiled_host_facts
        WHERE path = (SELECT p.id FROM tiled_host_paths p WHERE p.path = new.path) AND value = new.value
            AND parent = new.parent AND node = new.node;
END;

CREATE TRIGGER tiled_host_1_added AFTER INSERT ON nodes BEGIN
{ADD new}
END;

CREATE TRIGGER tiled_host_1_removed AFTER DELETE ON nodes BEGIN
{REMOVE old}
END;

CREATE TRIGGER tiled_host_1_changed AFTER UPDATE OF id, parent, structure_family, metadata, specs ON nodes BEGIN
{REMOVE old}
{ADD new}
END;

-- Rows of `nodes` put into this view enter the index, too: those that were there before the triggers.
CREATE VIEW tiled_host_build AS
    SELECT 0 AS id, 0 AS parent, '' AS structure_family, '' AS metadata, '' AS specs WHERE 0;

CREATE TRIGGER tiled_host_1_build INSTEAD OF INSERT ON tiled_host_build BEGIN
{ADD new}
END;
