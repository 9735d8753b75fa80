-- Renames the table of access grants by making it anew, so that its constraints get the new names as well. As
-- Tiled's own migration 917dbbcfc4b1 does it.
CREATE TABLE access_grants (
	tag_id INTEGER NOT NULL, 
	principal_id INTEGER NOT NULL, 
	scope VARCHAR(16) NOT NULL, 
	CONSTRAINT access_grants_pkey PRIMARY KEY (tag_id, principal_id, scope), 
	CONSTRAINT fk_access_grants_access_tag FOREIGN KEY(tag_id) REFERENCES access_tags (id) ON DELETE CASCADE, 
	CONSTRAINT fk_access_grants_principal FOREIGN KEY(principal_id) REFERENCES access_tags_principals (id) ON DELETE CASCADE, 
	CONSTRAINT scope_name CHECK (scope IN ('read:metadata', 'read:data', 'write:metadata', 'write:data', 'delete:revision', 'delete:node', 'create:node', 'register', 'metrics', 'create:apikeys', 'revoke:apikeys', 'admin:apikeys', 'read:principals', 'write:principals', 'read:webhooks', 'write:webhooks'))
);

INSERT INTO access_grants (tag_id, principal_id, scope)
SELECT tag_id, principal_id, scope FROM access_tag_principal_scopes_association;

DROP TABLE access_tag_principal_scopes_association;

CREATE INDEX ix_access_grants_principal_scope ON access_grants (principal_id, scope, tag_id);
