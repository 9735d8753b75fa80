-- Written by make.py with Tiled 0.2.20: its schema, then the rows that triggers do not fill.
CREATE TABLE nodes (
	id INTEGER NOT NULL, 
	parent INTEGER, 
	"key" VARCHAR(1023) NOT NULL, 
	structure_family VARCHAR(9) NOT NULL, 
	metadata JSON NOT NULL, 
	specs JSON NOT NULL, 
	time_created DATETIME DEFAULT CURRENT_TIMESTAMP, 
	time_updated DATETIME DEFAULT CURRENT_TIMESTAMP, 
	PRIMARY KEY (id), 
	CONSTRAINT key_parent_unique_constraint UNIQUE ("key", parent), 
	CONSTRAINT fk_nodes_parent FOREIGN KEY(parent) REFERENCES nodes (id) ON DELETE CASCADE
);
CREATE INDEX ix_nodes_parent_id ON nodes (parent, id);
CREATE INDEX ix_nodes_parent ON nodes (parent);
CREATE TABLE access_tags (
	id INTEGER NOT NULL, 
	name VARCHAR(255) NOT NULL, 
	is_public BOOLEAN DEFAULT false NOT NULL, 
	time_created DATETIME DEFAULT CURRENT_TIMESTAMP, 
	time_updated DATETIME DEFAULT CURRENT_TIMESTAMP, 
	PRIMARY KEY (id), 
	UNIQUE (name)
);
CREATE INDEX ix_access_tags_is_public ON access_tags (name) WHERE is_public;
CREATE TABLE access_tags_principals (
	id INTEGER NOT NULL, 
	name VARCHAR(255) NOT NULL, 
	time_created DATETIME DEFAULT CURRENT_TIMESTAMP, 
	time_updated DATETIME DEFAULT CURRENT_TIMESTAMP, 
	PRIMARY KEY (id), 
	UNIQUE (name)
);
CREATE VIRTUAL TABLE metadata_fts5 USING fts5(metadata, content='nodes', content_rowid='id');
CREATE TRIGGER nodes_metadata_fts5_sync_ai AFTER INSERT ON nodes BEGIN
              INSERT INTO metadata_fts5(rowid, metadata)
              VALUES (new.id, new.metadata);
            END;
CREATE TRIGGER nodes_metadata_fts5_sync_ad AFTER DELETE ON nodes BEGIN
              INSERT INTO metadata_fts5(metadata_fts5, rowid, metadata)
              VALUES('delete', old.id, old.metadata);
            END;
CREATE TRIGGER nodes_metadata_fts5_sync_au AFTER UPDATE ON nodes BEGIN
              INSERT INTO metadata_fts5(metadata_fts5, rowid, metadata)
              VALUES('delete', old.id, old.metadata);
              INSERT INTO metadata_fts5(rowid, metadata)
              VALUES (new.id, new.metadata);
            END;
CREATE TABLE structures (
	id VARCHAR(32) NOT NULL, 
	structure JSON NOT NULL, 
	PRIMARY KEY (id), 
	UNIQUE (id)
);
CREATE TABLE assets (
	id INTEGER NOT NULL, 
	data_uri VARCHAR(1023), 
	is_directory BOOLEAN NOT NULL, 
	hash_type VARCHAR(63), 
	hash_content VARCHAR(1023), 
	size BIGINT, 
	time_created DATETIME DEFAULT CURRENT_TIMESTAMP, 
	time_updated DATETIME DEFAULT CURRENT_TIMESTAMP, 
	PRIMARY KEY (id)
);
CREATE UNIQUE INDEX ix_assets_data_uri ON assets (data_uri);
CREATE TABLE namespaces (
	prefix VARCHAR NOT NULL, 
	uri VARCHAR NOT NULL, 
	created_at DATETIME NOT NULL, 
	PRIMARY KEY (prefix)
);
CREATE TABLE nodes_closure (
	ancestor INTEGER NOT NULL, 
	descendant INTEGER NOT NULL, 
	depth INTEGER NOT NULL, 
	PRIMARY KEY (ancestor, descendant), 
	FOREIGN KEY(ancestor) REFERENCES nodes (id) ON DELETE CASCADE, 
	FOREIGN KEY(descendant) REFERENCES nodes (id) ON DELETE CASCADE
);
CREATE INDEX idx_nodes_closure_descendant ON nodes_closure (descendant);
CREATE INDEX idx_nodes_closure_ancestor ON nodes_closure (ancestor);
CREATE TRIGGER update_closure_table_when_inserting
AFTER INSERT ON nodes
BEGIN
    INSERT INTO nodes_closure(ancestor, descendant, depth)
    SELECT NEW.id, NEW.id, 0;
    INSERT INTO nodes_closure(ancestor, descendant, depth)
    SELECT p.ancestor, c.descendant, p.depth+c.depth+1
    FROM nodes_closure p, nodes_closure c
    WHERE p.descendant=NEW.parent and c.ancestor=NEW.id;
END;
CREATE TABLE node_access_tags_association (
	node_id INTEGER NOT NULL, 
	tag_id INTEGER NOT NULL, 
	parent_id INTEGER, 
	CONSTRAINT node_access_tags_association_pkey PRIMARY KEY (node_id, tag_id), 
	CONSTRAINT fk_node_access_tags_association_node FOREIGN KEY(node_id) REFERENCES nodes (id) ON DELETE CASCADE, 
	CONSTRAINT fk_node_access_tags_association_tag FOREIGN KEY(tag_id) REFERENCES access_tags (id) ON DELETE CASCADE
);
CREATE INDEX ix_node_access_tags_association_parent_id_tag_id_node_id ON node_access_tags_association (parent_id, tag_id, node_id);
CREATE INDEX ix_node_access_tags_association_tag_id_node_id ON node_access_tags_association (tag_id, node_id);
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
CREATE TABLE access_grants (
	tag_id INTEGER NOT NULL, 
	principal_id INTEGER NOT NULL, 
	scope VARCHAR(16) NOT NULL, 
	CONSTRAINT access_grants_pkey PRIMARY KEY (tag_id, principal_id, scope), 
	CONSTRAINT fk_access_grants_access_tag FOREIGN KEY(tag_id) REFERENCES access_tags (id) ON DELETE CASCADE, 
	CONSTRAINT fk_access_grants_principal FOREIGN KEY(principal_id) REFERENCES access_tags_principals (id) ON DELETE CASCADE, 
	CONSTRAINT scope_name CHECK (scope IN ('read:metadata', 'read:data', 'write:metadata', 'write:data', 'delete:revision', 'delete:node', 'create:node', 'register', 'metrics', 'create:apikeys', 'revoke:apikeys', 'admin:apikeys', 'read:principals', 'write:principals', 'read:webhooks', 'write:webhooks'))
);
CREATE INDEX ix_access_grants_principal_scope ON access_grants (principal_id, scope, tag_id);
CREATE TABLE access_tag_owners_association (
	tag_id INTEGER NOT NULL, 
	principal_id INTEGER NOT NULL, 
	CONSTRAINT access_tag_owners_association_pkey PRIMARY KEY (tag_id, principal_id), 
	CONSTRAINT fk_access_tag_owners_association_access_tag FOREIGN KEY(tag_id) REFERENCES access_tags (id) ON DELETE CASCADE, 
	CONSTRAINT fk_access_tag_owners_association_principal FOREIGN KEY(principal_id) REFERENCES access_tags_principals (id) ON DELETE CASCADE
);
CREATE INDEX ix_access_tag_owners_association_principal_id ON access_tag_owners_association (principal_id);
CREATE TABLE data_sources (
	id INTEGER NOT NULL, 
	node_id INTEGER NOT NULL, 
	structure_id VARCHAR(32), 
	mimetype VARCHAR(255) NOT NULL, 
	parameters JSON, 
	properties JSON, 
	management VARCHAR(9) NOT NULL, 
	structure_family VARCHAR(9) NOT NULL, 
	time_created DATETIME DEFAULT CURRENT_TIMESTAMP, 
	time_updated DATETIME DEFAULT CURRENT_TIMESTAMP, 
	PRIMARY KEY (id), 
	FOREIGN KEY(node_id) REFERENCES nodes (id) ON DELETE CASCADE, 
	FOREIGN KEY(structure_id) REFERENCES structures (id) ON DELETE CASCADE
);
CREATE INDEX idx_data_sources_id_node ON data_sources (id, node_id);
CREATE INDEX ix_data_sources_node_id ON data_sources (node_id);
CREATE TABLE revisions (
	id INTEGER NOT NULL, 
	node_id INTEGER NOT NULL, 
	revision_number INTEGER NOT NULL, 
	metadata JSON NOT NULL, 
	specs JSON NOT NULL, 
	time_created DATETIME DEFAULT CURRENT_TIMESTAMP, 
	time_updated DATETIME DEFAULT CURRENT_TIMESTAMP, 
	PRIMARY KEY (id), 
	CONSTRAINT node_id_revision_number_unique_constraint UNIQUE (node_id, revision_number), 
	FOREIGN KEY(node_id) REFERENCES nodes (id) ON DELETE CASCADE
);
CREATE TABLE webhooks (
	id INTEGER NOT NULL, 
	node_id INTEGER NOT NULL, 
	url VARCHAR(2048) NOT NULL, 
	secret VARCHAR(512), 
	events JSON, 
	active BOOLEAN DEFAULT true NOT NULL, 
	time_created DATETIME DEFAULT CURRENT_TIMESTAMP, 
	time_updated DATETIME DEFAULT CURRENT_TIMESTAMP, 
	PRIMARY KEY (id), 
	FOREIGN KEY(node_id) REFERENCES nodes (id) ON DELETE CASCADE
);
CREATE INDEX ix_webhooks_node_id ON webhooks (node_id);
CREATE TABLE entities (
	id VARCHAR NOT NULL, 
	node_id INTEGER, 
	entity_type VARCHAR NOT NULL, 
	name VARCHAR NOT NULL, 
	uri VARCHAR, 
	properties JSON NOT NULL, 
	created_at DATETIME NOT NULL, 
	PRIMARY KEY (id), 
	FOREIGN KEY(node_id) REFERENCES nodes (id) ON DELETE CASCADE
);
CREATE INDEX entities_type_created_idx ON entities (entity_type, created_at);
CREATE INDEX entities_uri_idx ON entities (uri);
CREATE INDEX entities_node_id_idx ON entities (node_id);
CREATE TABLE data_source_asset_association (
	data_source_id INTEGER NOT NULL, 
	asset_id INTEGER NOT NULL, 
	parameter VARCHAR(255), 
	num INTEGER, 
	CONSTRAINT data_source_asset_association_pkey PRIMARY KEY (data_source_id, asset_id), 
	CONSTRAINT parameter_num_unique_constraint UNIQUE (data_source_id, parameter, num), 
	FOREIGN KEY(data_source_id) REFERENCES data_sources (id) ON DELETE CASCADE, 
	FOREIGN KEY(asset_id) REFERENCES assets (id) ON DELETE CASCADE
);
CREATE INDEX ix_data_source_asset_association_asset_id ON data_source_asset_association (asset_id);
CREATE TRIGGER cannot_insert_num_null_if_num_exists
BEFORE INSERT ON data_source_asset_association
WHEN NEW.num IS NULL
BEGIN
    SELECT RAISE(ABORT, 'Can only insert num=NULL if no other row exists for the same parameter')
    WHERE EXISTS
    (
        SELECT 1
        FROM data_source_asset_association
        WHERE parameter = NEW.parameter
        AND data_source_id = NEW.data_source_id
    );
END;
CREATE TRIGGER cannot_insert_num_int_if_num_null_exists
BEFORE INSERT ON data_source_asset_association
WHEN NEW.num IS NOT NULL
BEGIN
    SELECT RAISE(ABORT, 'Can only insert INTEGER num if no NULL row exists for the same parameter')
    WHERE EXISTS
    (
        SELECT 1
        FROM data_source_asset_association
        WHERE parameter = NEW.parameter
        AND num IS NULL
        AND data_source_id = NEW.data_source_id
    );
END;
CREATE TABLE webhook_deliveries (
	id INTEGER NOT NULL, 
	webhook_id INTEGER NOT NULL, 
	event_id VARCHAR(128) NOT NULL, 
	event_type VARCHAR(128) NOT NULL, 
	payload JSON NOT NULL, 
	status_code INTEGER, 
	attempts INTEGER DEFAULT 0 NOT NULL, 
	delivered_at DATETIME, 
	outcome VARCHAR(16) DEFAULT 'pending' NOT NULL, 
	error_detail VARCHAR(4096), 
	time_created DATETIME DEFAULT CURRENT_TIMESTAMP, 
	time_updated DATETIME DEFAULT CURRENT_TIMESTAMP, 
	PRIMARY KEY (id), 
	FOREIGN KEY(webhook_id) REFERENCES webhooks (id) ON DELETE CASCADE
);
CREATE INDEX ix_webhook_deliveries_event_id ON webhook_deliveries (event_id);
CREATE INDEX ix_webhook_deliveries_webhook_id ON webhook_deliveries (webhook_id);
CREATE TABLE links (
	id VARCHAR NOT NULL, 
	subject_id VARCHAR NOT NULL, 
	predicate VARCHAR NOT NULL, 
	object_id VARCHAR NOT NULL, 
	properties JSON NOT NULL, 
	created_at DATETIME NOT NULL, 
	PRIMARY KEY (id), 
	FOREIGN KEY(subject_id) REFERENCES entities (id) ON DELETE CASCADE, 
	FOREIGN KEY(object_id) REFERENCES entities (id) ON DELETE CASCADE
);
CREATE INDEX links_subject_predicate_idx ON links (subject_id, predicate);
CREATE INDEX links_predicate_object_idx ON links (predicate, object_id);
CREATE INDEX links_triple_idx ON links (subject_id, predicate, object_id);
CREATE TABLE entity_access_tags_association (
	entity_id VARCHAR NOT NULL, 
	tag_id INTEGER NOT NULL, 
	PRIMARY KEY (entity_id, tag_id), 
	CONSTRAINT fk_entity_access_tags_association_entity FOREIGN KEY(entity_id) REFERENCES entities (id) ON DELETE CASCADE, 
	CONSTRAINT fk_entity_access_tags_association_tag FOREIGN KEY(tag_id) REFERENCES access_tags (id) ON DELETE CASCADE
);
CREATE INDEX ix_entity_access_tags_association_tag_id_entity_id ON entity_access_tags_association (tag_id, entity_id);
CREATE TRIGGER entities_node_access_tags_update
BEFORE UPDATE OF node_id ON entities
WHEN (NEW.node_id IS NOT NULL AND EXISTS (
    SELECT 1 FROM entity_access_tags_association WHERE entity_id = NEW.id
))
BEGIN
    SELECT RAISE(ABORT, 'An entity with node_id set must not have its own access tags; access is controlled by the referenced node.');
END;
CREATE TRIGGER entity_access_tags_association_insert_reject_node_backed_entity
BEFORE INSERT ON entity_access_tags_association
WHEN EXISTS (SELECT 1 FROM entities WHERE id = NEW.entity_id AND node_id IS NOT NULL)
BEGIN
    SELECT RAISE(ABORT, 'An entity with node_id set must not have its own access tags; access is controlled by the referenced node.');
END;
CREATE TRIGGER entity_access_tags_association_update_reject_node_backed_entity
BEFORE UPDATE OF entity_id ON entity_access_tags_association
WHEN EXISTS (SELECT 1 FROM entities WHERE id = NEW.entity_id AND node_id IS NOT NULL)
BEGIN
    SELECT RAISE(ABORT, 'An entity with node_id set must not have its own access tags; access is controlled by the referenced node.');
END;
CREATE TABLE link_access_tags_association (
	link_id VARCHAR NOT NULL, 
	tag_id INTEGER NOT NULL, 
	PRIMARY KEY (link_id, tag_id), 
	CONSTRAINT fk_link_access_tags_association_link FOREIGN KEY(link_id) REFERENCES links (id) ON DELETE CASCADE, 
	CONSTRAINT fk_link_access_tags_association_tag FOREIGN KEY(tag_id) REFERENCES access_tags (id) ON DELETE CASCADE
);
CREATE INDEX ix_link_access_tags_association_tag_id_link_id ON link_access_tags_association (tag_id, link_id);
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO nodes VALUES (0, NULL, '', 'container', '{}', '[]', '2026-11-24 16:35:08', '2026-11-24 16:35:08');
INSERT INTO nodes VALUES (1, 0, 'A', 'array', '{}', '[]', '2026-11-24 16:35:27', '2026-11-24 16:35:27');
INSERT INTO nodes VALUES (2, 0, 'table', 'table', '{}', '[]', '2026-11-24 16:35:27', '2026-11-24 16:35:27');
INSERT INTO nodes VALUES (3, 0, 'single', 'array', '{}', '[]', '2026-11-24 16:35:27', '2026-11-24 16:35:27');
INSERT INTO nodes VALUES (4, 0, 'sub', 'container', '{}', '[]', '2026-11-24 16:35:27', '2026-11-24 16:35:27');
INSERT INTO nodes VALUES (5, 4, 'f', 'container', '{"color":"red"}', '[]', '2026-11-24 16:35:28', '2026-11-24 16:35:28');
INSERT INTO nodes VALUES (6, 4, 'deeper', 'container', '{}', '[]', '2026-11-24 16:35:28', '2026-11-24 16:35:28');
INSERT INTO nodes VALUES (7, 6, 'arr', 'array', '{}', '[]', '2026-11-24 16:35:28', '2026-11-24 16:35:28');
INSERT INTO nodes VALUES (8, 0, 'meta', 'container', '{"color":"blue","n":1,"nested":{"é":[1,"a",null,true,1.5e+300]},"z":null}', '[{"name":"alpha","version":null}]', '2026-11-24 16:35:29', '2026-11-24 16:35:29');
INSERT INTO access_tags VALUES (1, 'public', 1, '2026-11-24 16:35:08', '2026-11-24 16:35:08');
INSERT INTO structures VALUES ('66d670d57439a6ad73c784bdb4cd7228', '{"data_type":{"endianness":"little","kind":"u","itemsize":2,"dt_units":null},"chunks":[[1,1,1],[3],[4]],"shape":[3,3,4],"dims":null,"resizable":false}');
INSERT INTO structures VALUES ('3578757df8c57c86e28c80e65fe0b72a', '{"arrow_schema":"data:application/vnd.apache.arrow.file;base64,//////gCAAAQAAAAAAAKAA4ABgAFAAgACgAAAAABBAAQAAAAAAAKAAwAAAAEAAgACgAAAFQCAAAEAAAAAQAAAAwAAAAIAAwABAAIAAgAAAAsAgAABAAAAB0CAAB7ImluZGV4X2NvbHVtbnMiOiBbeyJraW5kIjogInJhbmdlIiwgIm5hbWUiOiBudWxsLCAic3RhcnQiOiAwLCAic3RvcCI6IDAsICJzdGVwIjogMX1dLCAiY29sdW1uX2luZGV4ZXMiOiBbeyJuYW1lIjogbnVsbCwgImZpZWxkX25hbWUiOiBudWxsLCAicGFuZGFzX3R5cGUiOiAidW5pY29kZSIsICJudW1weV90eXBlIjogIm9iamVjdCIsICJtZXRhZGF0YSI6IHsiZW5jb2RpbmciOiAiVVRGLTgifX1dLCAiY29sdW1ucyI6IFt7Im5hbWUiOiAiYSIsICJmaWVsZF9uYW1lIjogImEiLCAicGFuZGFzX3R5cGUiOiAiaW50NjQiLCAibnVtcHlfdHlwZSI6ICJpbnQ2NCIsICJtZXRhZGF0YSI6IG51bGx9LCB7Im5hbWUiOiAiYiIsICJmaWVsZF9uYW1lIjogImIiLCAicGFuZGFzX3R5cGUiOiAib2JqZWN0IiwgIm51bXB5X3R5cGUiOiAic3RyaW5nIiwgIm1ldGFkYXRhIjogbnVsbH1dLCAiYXR0cmlidXRlcyI6IHt9LCAiY3JlYXRvciI6IHsibGlicmFyeSI6ICJweWFycm93IiwgInZlcnNpb24iOiAiMjYuMC4xIn0sICJwYW5kYXNfdmVyc2lvbiI6ICIyLjMuMyJ9AAAABgAAAHBhbmRhcwAAAgAAAEAAAAAEAAAA2P///wAAARQQAAAAGAAAAAQAAAAAAAAAAQAAAGIAAAAEAAQABAAAABAAFAAIAAYABwAMAAAAEAAQAAAAAAABAhAAAAAcAAAABAAAAAAAAAABAAAAYQAAAAgADAAIAAcACAAAAAAAAAFAAAAA","npartitions":1,"columns":["a","b"],"resizable":false}');
INSERT INTO structures VALUES ('ef71456f6d045b45a6cdb99ec4a37c71', '{"data_type":{"endianness":"little","kind":"f","itemsize":8,"dt_units":null},"chunks":[[2],[3]],"shape":[2,3],"dims":null,"resizable":false}');
INSERT INTO structures VALUES ('87c0fbb4fba7768a39763686184fac30', '{"keys":["g","x"]}');
INSERT INTO structures VALUES ('d409c493d53d5cce5450f1677262260d', '{"data_type":{"endianness":"little","kind":"i","itemsize":4,"dt_units":null},"chunks":[[2]],"shape":[2],"dims":null,"resizable":false}');
INSERT INTO assets VALUES (1, 'file://localhost/data/A0000.tif', 0, NULL, NULL, 280, '2026-11-24 16:35:27', '2026-11-24 16:35:27');
INSERT INTO assets VALUES (2, 'file://localhost/data/A0001.tif', 0, NULL, NULL, 280, '2026-11-24 16:35:27', '2026-11-24 16:35:27');
INSERT INTO assets VALUES (3, 'file://localhost/data/A0002.tif', 0, NULL, NULL, 280, '2026-11-24 16:35:27', '2026-11-24 16:35:27');
INSERT INTO assets VALUES (4, 'file://localhost/data/table.csv', 0, NULL, NULL, 12, '2026-11-24 16:35:27', '2026-11-24 16:35:27');
INSERT INTO assets VALUES (5, 'file://localhost/data/single.npy', 0, NULL, NULL, 176, '2026-11-24 16:35:27', '2026-11-24 16:35:27');
INSERT INTO assets VALUES (6, 'file://localhost/data/sub/f.h5', 0, NULL, NULL, 8240, '2026-11-24 16:35:28', '2026-11-24 16:35:28');
INSERT INTO assets VALUES (7, 'file://localhost/data/sub/deeper/arr.npy', 0, NULL, NULL, 136, '2026-11-24 16:35:28', '2026-11-24 16:35:28');
INSERT INTO node_access_tags_association VALUES (0, 1, NULL);
INSERT INTO data_sources VALUES (1, 1, '66d670d57439a6ad73c784bdb4cd7228', 'multipart/related;type=image/tiff', '{}', '{}', 'external', 'array', '2026-11-24 16:35:27', '2026-11-24 16:35:27');
INSERT INTO data_sources VALUES (2, 2, '3578757df8c57c86e28c80e65fe0b72a', 'text/csv', '{}', '{}', 'external', 'table', '2026-11-24 16:35:27', '2026-11-24 16:35:27');
INSERT INTO data_sources VALUES (3, 3, 'ef71456f6d045b45a6cdb99ec4a37c71', 'application/x-npy', '{}', '{}', 'external', 'array', '2026-11-24 16:35:27', '2026-11-24 16:35:27');
INSERT INTO data_sources VALUES (4, 5, '87c0fbb4fba7768a39763686184fac30', 'application/x-hdf5', '{}', '{}', 'external', 'container', '2026-11-24 16:35:28', '2026-11-24 16:35:28');
INSERT INTO data_sources VALUES (5, 7, 'd409c493d53d5cce5450f1677262260d', 'application/x-npy', '{}', '{}', 'external', 'array', '2026-11-24 16:35:28', '2026-11-24 16:35:28');
INSERT INTO revisions VALUES (1, 8, 1, '{"color":"red","n":1,"nested":{"é":[1,"a",null,true,1.5e+300]},"z":null}', '[{"name":"alpha","version":null}]', '2026-11-24 16:35:29', '2026-11-24 16:35:29');
INSERT INTO data_source_asset_association VALUES (1, 1, 'data_uris', 0);
INSERT INTO data_source_asset_association VALUES (1, 2, 'data_uris', 1);
INSERT INTO data_source_asset_association VALUES (1, 3, 'data_uris', 2);
INSERT INTO data_source_asset_association VALUES (2, 4, 'data_uris', 0);
INSERT INTO data_source_asset_association VALUES (3, 5, 'data_uri', NULL);
INSERT INTO data_source_asset_association VALUES (4, 6, 'data_uri', NULL);
INSERT INTO data_source_asset_association VALUES (5, 7, 'data_uri', NULL);
INSERT INTO alembic_version VALUES ('917dbbcfc4b1');
