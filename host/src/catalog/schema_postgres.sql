-- The schema of a Tiled 0.2.20 catalog (revision 917dbbcfc4b1) on PostgreSQL, as `pg_dump` gives what its own
-- `catalog init` makes, so that both servers can use the database in turn.

CREATE EXTENSION IF NOT EXISTS btree_gin;

CREATE TYPE management AS ENUM (
    'external',
    'immutable',
    'locked',
    'writable'
);

CREATE TYPE scope_name AS ENUM (
    'read:metadata',
    'read:data',
    'write:metadata',
    'write:data',
    'delete:revision',
    'delete:node',
    'create:node',
    'register',
    'metrics',
    'create:apikeys',
    'revoke:apikeys',
    'admin:apikeys',
    'read:principals',
    'write:principals',
    'read:webhooks',
    'write:webhooks'
);

CREATE TYPE structurefamily AS ENUM (
    'array',
    'awkward',
    'bytes',
    'container',
    'ragged',
    'sparse',
    'table'
);

CREATE FUNCTION entities_reject_node_access_tags() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    IF EXISTS (
        SELECT 1 FROM entity_access_tags_association WHERE entity_id = NEW.id
    ) THEN
        RAISE EXCEPTION 'An entity with node_id set must not have its own access tags; access is controlled by the referenced node.'
            USING ERRCODE = '23514';
    END IF;
    RETURN NEW;
END;
$$;

CREATE FUNCTION entity_access_tags_association_reject_node_backed_entity() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    IF EXISTS (SELECT 1 FROM entities WHERE id = NEW.entity_id AND node_id IS NOT NULL) THEN
        RAISE EXCEPTION 'An entity with node_id set must not have its own access tags; access is controlled by the referenced node.'
            USING ERRCODE = '23514';
    END IF;
    RETURN NEW;
END;
$$;

CREATE FUNCTION node_access_tags_set_parent() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    SELECT parent INTO NEW.parent_id FROM nodes WHERE id = NEW.node_id;
    RETURN NEW;
END;
$$;

CREATE FUNCTION node_access_tags_sync_parent_after_node_update() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    UPDATE node_access_tags_association
    SET parent_id = NEW.parent
    WHERE node_id = NEW.id;
    RETURN NEW;
END;
$$;

CREATE FUNCTION raise_if_null_parameter_exists() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    IF EXISTS (
        SELECT 1
        FROM data_source_asset_association
        WHERE parameter = NEW.parameter
        AND data_source_id = NEW.data_source_id
        AND num IS NULL
    ) THEN
        RAISE EXCEPTION 'Can only insert INTEGER num if no NULL row exists for the same parameter';
    END IF;
    RETURN NEW;
END;
$$;

CREATE FUNCTION raise_if_parameter_exists() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    IF EXISTS (
        SELECT 1
        FROM data_source_asset_association
        WHERE parameter = NEW.parameter
        AND data_source_id = NEW.data_source_id
    ) THEN
        RAISE EXCEPTION 'Can only insert num=NULL if no other row exists for the same parameter';
    END IF;
    RETURN NEW;
END;
$$;

CREATE FUNCTION update_closure_table_when_inserting() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    INSERT INTO nodes_closure(ancestor, descendant, depth)
    VALUES (NEW.id, NEW.id, 0);
    INSERT INTO nodes_closure(ancestor, descendant, depth)
    SELECT p.ancestor, c.descendant, p.depth + c.depth + 1
    FROM nodes_closure p, nodes_closure c
    WHERE p.descendant = NEW.parent AND c.ancestor = NEW.id;
    RETURN NEW;
END;
$$;

CREATE TABLE access_grants (
    tag_id integer NOT NULL,
    principal_id integer NOT NULL,
    scope scope_name NOT NULL
);

CREATE TABLE access_tag_owners_association (
    tag_id integer NOT NULL,
    principal_id integer NOT NULL
);

CREATE TABLE access_tags (
    id integer NOT NULL,
    name character varying(255) NOT NULL,
    is_public boolean DEFAULT false NOT NULL,
    time_created timestamp without time zone DEFAULT now(),
    time_updated timestamp without time zone DEFAULT now()
);

CREATE SEQUENCE access_tags_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;

ALTER SEQUENCE access_tags_id_seq OWNED BY access_tags.id;

CREATE TABLE access_tags_principals (
    id integer NOT NULL,
    name character varying(255) NOT NULL,
    time_created timestamp without time zone DEFAULT now(),
    time_updated timestamp without time zone DEFAULT now()
);

CREATE SEQUENCE access_tags_principals_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;

ALTER SEQUENCE access_tags_principals_id_seq OWNED BY access_tags_principals.id;

CREATE TABLE alembic_version (
    version_num character varying(32) NOT NULL
);

CREATE TABLE assets (
    id integer NOT NULL,
    data_uri character varying(1023),
    is_directory boolean NOT NULL,
    hash_type character varying(63),
    hash_content character varying(1023),
    size bigint,
    time_created timestamp without time zone DEFAULT now(),
    time_updated timestamp without time zone DEFAULT now()
);

CREATE SEQUENCE assets_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;

ALTER SEQUENCE assets_id_seq OWNED BY assets.id;

CREATE TABLE data_source_asset_association (
    data_source_id integer NOT NULL,
    asset_id integer NOT NULL,
    parameter character varying(255),
    num integer
);

CREATE TABLE data_sources (
    id integer NOT NULL,
    node_id integer NOT NULL,
    structure_id character varying(32),
    mimetype character varying(255) NOT NULL,
    parameters jsonb,
    properties jsonb,
    management management NOT NULL,
    structure_family structurefamily NOT NULL,
    time_created timestamp without time zone DEFAULT now(),
    time_updated timestamp without time zone DEFAULT now()
);

CREATE SEQUENCE data_sources_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;

ALTER SEQUENCE data_sources_id_seq OWNED BY data_sources.id;

CREATE TABLE entities (
    id character varying NOT NULL,
    node_id integer,
    entity_type character varying NOT NULL,
    name character varying NOT NULL,
    uri character varying,
    properties json NOT NULL,
    created_at timestamp with time zone NOT NULL
);

CREATE TABLE entity_access_tags_association (
    entity_id character varying NOT NULL,
    tag_id integer NOT NULL
);

CREATE TABLE link_access_tags_association (
    link_id character varying NOT NULL,
    tag_id integer NOT NULL
);

CREATE TABLE links (
    id character varying NOT NULL,
    subject_id character varying NOT NULL,
    predicate character varying NOT NULL,
    object_id character varying NOT NULL,
    properties json NOT NULL,
    created_at timestamp with time zone NOT NULL
);

CREATE TABLE namespaces (
    prefix character varying NOT NULL,
    uri character varying NOT NULL,
    created_at timestamp with time zone NOT NULL
);

CREATE TABLE node_access_tags_association (
    node_id integer NOT NULL,
    tag_id integer NOT NULL,
    parent_id integer
);

CREATE TABLE nodes (
    id integer NOT NULL,
    parent integer,
    key character varying(1023) NOT NULL,
    structure_family structurefamily NOT NULL,
    metadata jsonb NOT NULL,
    specs jsonb NOT NULL,
    time_created timestamp without time zone DEFAULT now(),
    time_updated timestamp without time zone DEFAULT now()
);

CREATE TABLE nodes_closure (
    ancestor integer NOT NULL,
    descendant integer NOT NULL,
    depth integer NOT NULL
);

CREATE SEQUENCE nodes_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;

ALTER SEQUENCE nodes_id_seq OWNED BY nodes.id;

CREATE TABLE revisions (
    id integer NOT NULL,
    node_id integer NOT NULL,
    revision_number integer NOT NULL,
    metadata jsonb NOT NULL,
    specs jsonb NOT NULL,
    time_created timestamp without time zone DEFAULT now(),
    time_updated timestamp without time zone DEFAULT now()
);

CREATE SEQUENCE revisions_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;

ALTER SEQUENCE revisions_id_seq OWNED BY revisions.id;

CREATE TABLE structures (
    id character varying(32) NOT NULL,
    structure jsonb NOT NULL
);

CREATE TABLE webhook_deliveries (
    id integer NOT NULL,
    webhook_id integer NOT NULL,
    event_id character varying(128) NOT NULL,
    event_type character varying(128) NOT NULL,
    payload jsonb NOT NULL,
    status_code integer,
    attempts integer DEFAULT 0 NOT NULL,
    delivered_at timestamp without time zone,
    outcome character varying(16) DEFAULT 'pending'::character varying NOT NULL,
    error_detail character varying(4096),
    time_created timestamp without time zone DEFAULT now(),
    time_updated timestamp without time zone DEFAULT now()
);

CREATE SEQUENCE webhook_deliveries_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;

ALTER SEQUENCE webhook_deliveries_id_seq OWNED BY webhook_deliveries.id;

CREATE TABLE webhooks (
    id integer NOT NULL,
    node_id integer NOT NULL,
    url character varying(2048) NOT NULL,
    secret character varying(512),
    events jsonb,
    active boolean DEFAULT true NOT NULL,
    time_created timestamp without time zone DEFAULT now(),
    time_updated timestamp without time zone DEFAULT now()
);

CREATE SEQUENCE webhooks_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;

ALTER SEQUENCE webhooks_id_seq OWNED BY webhooks.id;

ALTER TABLE access_tags ALTER COLUMN id SET DEFAULT nextval('access_tags_id_seq'::regclass);

ALTER TABLE access_tags_principals ALTER COLUMN id SET DEFAULT nextval('access_tags_principals_id_seq'::regclass);

ALTER TABLE assets ALTER COLUMN id SET DEFAULT nextval('assets_id_seq'::regclass);

ALTER TABLE data_sources ALTER COLUMN id SET DEFAULT nextval('data_sources_id_seq'::regclass);

ALTER TABLE nodes ALTER COLUMN id SET DEFAULT nextval('nodes_id_seq'::regclass);

ALTER TABLE revisions ALTER COLUMN id SET DEFAULT nextval('revisions_id_seq'::regclass);

ALTER TABLE webhook_deliveries ALTER COLUMN id SET DEFAULT nextval('webhook_deliveries_id_seq'::regclass);

ALTER TABLE webhooks ALTER COLUMN id SET DEFAULT nextval('webhooks_id_seq'::regclass);

ALTER TABLE access_grants
    ADD CONSTRAINT access_grants_pkey PRIMARY KEY (tag_id, principal_id, scope);

ALTER TABLE access_tag_owners_association
    ADD CONSTRAINT access_tag_owners_association_pkey PRIMARY KEY (tag_id, principal_id);

ALTER TABLE access_tags
    ADD CONSTRAINT access_tags_name_key UNIQUE (name);

ALTER TABLE access_tags
    ADD CONSTRAINT access_tags_pkey PRIMARY KEY (id);

ALTER TABLE access_tags_principals
    ADD CONSTRAINT access_tags_principals_name_key UNIQUE (name);

ALTER TABLE access_tags_principals
    ADD CONSTRAINT access_tags_principals_pkey PRIMARY KEY (id);

ALTER TABLE alembic_version
    ADD CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num);

ALTER TABLE assets
    ADD CONSTRAINT assets_pkey PRIMARY KEY (id);

ALTER TABLE data_source_asset_association
    ADD CONSTRAINT data_source_asset_association_pkey PRIMARY KEY (data_source_id, asset_id);

ALTER TABLE data_sources
    ADD CONSTRAINT data_sources_pkey PRIMARY KEY (id);

ALTER TABLE entities
    ADD CONSTRAINT entities_pkey PRIMARY KEY (id);

ALTER TABLE entity_access_tags_association
    ADD CONSTRAINT entity_access_tags_association_pkey PRIMARY KEY (entity_id, tag_id);

ALTER TABLE nodes
    ADD CONSTRAINT key_parent_unique_constraint UNIQUE (key, parent);

ALTER TABLE link_access_tags_association
    ADD CONSTRAINT link_access_tags_association_pkey PRIMARY KEY (link_id, tag_id);

ALTER TABLE links
    ADD CONSTRAINT links_pkey PRIMARY KEY (id);

ALTER TABLE namespaces
    ADD CONSTRAINT namespaces_pkey PRIMARY KEY (prefix);

ALTER TABLE node_access_tags_association
    ADD CONSTRAINT node_access_tags_association_pkey PRIMARY KEY (node_id, tag_id);

ALTER TABLE revisions
    ADD CONSTRAINT node_id_revision_number_unique_constraint UNIQUE (node_id, revision_number);

ALTER TABLE nodes_closure
    ADD CONSTRAINT nodes_closure_pkey PRIMARY KEY (ancestor, descendant);

ALTER TABLE nodes
    ADD CONSTRAINT nodes_pkey PRIMARY KEY (id);

ALTER TABLE data_source_asset_association
    ADD CONSTRAINT parameter_num_unique_constraint UNIQUE (data_source_id, parameter, num);

ALTER TABLE revisions
    ADD CONSTRAINT revisions_pkey PRIMARY KEY (id);

ALTER TABLE structures
    ADD CONSTRAINT structures_pkey PRIMARY KEY (id);

ALTER TABLE webhook_deliveries
    ADD CONSTRAINT webhook_deliveries_pkey PRIMARY KEY (id);

ALTER TABLE webhooks
    ADD CONSTRAINT webhooks_pkey PRIMARY KEY (id);

CREATE INDEX entities_node_id_idx ON entities USING btree (node_id);

CREATE INDEX entities_type_created_idx ON entities USING btree (entity_type, created_at);

CREATE INDEX entities_uri_idx ON entities USING btree (uri);

CREATE INDEX idx_data_sources_id_node ON data_sources USING btree (id, node_id);

CREATE INDEX idx_nodes_closure_ancestor ON nodes_closure USING btree (ancestor);

CREATE INDEX idx_nodes_closure_descendant ON nodes_closure USING btree (descendant);

CREATE INDEX ix_access_grants_principal_scope ON access_grants USING btree (principal_id, scope, tag_id);

CREATE INDEX ix_access_tag_owners_association_principal_id ON access_tag_owners_association USING btree (principal_id);

CREATE INDEX ix_access_tags_is_public ON access_tags USING btree (name) WHERE is_public;

CREATE UNIQUE INDEX ix_assets_data_uri ON assets USING btree (data_uri);

CREATE INDEX ix_data_source_asset_association_asset_id ON data_source_asset_association USING btree (asset_id);

CREATE INDEX ix_data_sources_node_id ON data_sources USING btree (node_id);

CREATE INDEX ix_entity_access_tags_association_tag_id_entity_id ON entity_access_tags_association USING btree (tag_id, entity_id);

CREATE INDEX ix_link_access_tags_association_tag_id_link_id ON link_access_tags_association USING btree (tag_id, link_id);

CREATE INDEX ix_node_access_tags_association_parent_id_tag_id_node_id ON node_access_tags_association USING btree (parent_id, tag_id, node_id);

CREATE INDEX ix_node_access_tags_association_tag_id_node_id ON node_access_tags_association USING btree (tag_id, node_id);

CREATE INDEX ix_nodes_metadata ON nodes USING gin (metadata jsonb_path_ops);

CREATE INDEX ix_nodes_parent ON nodes USING btree (parent);

CREATE INDEX ix_nodes_parent_id ON nodes USING btree (parent, id);

CREATE INDEX ix_webhook_deliveries_event_id ON webhook_deliveries USING btree (event_id);

CREATE INDEX ix_webhook_deliveries_webhook_id ON webhook_deliveries USING btree (webhook_id);

CREATE INDEX ix_webhooks_node_id ON webhooks USING btree (node_id);

CREATE INDEX links_predicate_object_idx ON links USING btree (predicate, object_id);

CREATE INDEX links_subject_predicate_idx ON links USING btree (subject_id, predicate);

CREATE INDEX links_triple_idx ON links USING btree (subject_id, predicate, object_id);

CREATE INDEX metadata_tsvector_search ON nodes USING gin (jsonb_to_tsvector('simple'::regconfig, metadata, '["string"]'::jsonb));

CREATE STATISTICS node_access_tags_association_parent_id_tag_id_node_id_stats ON tag_id, parent_id FROM node_access_tags_association;

CREATE TRIGGER cannot_insert_num_int_if_num_null_exists BEFORE INSERT ON data_source_asset_association FOR EACH ROW WHEN ((new.num IS NOT NULL)) EXECUTE FUNCTION raise_if_null_parameter_exists();

CREATE TRIGGER cannot_insert_num_null_if_num_exists BEFORE INSERT ON data_source_asset_association FOR EACH ROW WHEN ((new.num IS NULL)) EXECUTE FUNCTION raise_if_parameter_exists();

CREATE TRIGGER entities_node_access_tags_check BEFORE UPDATE OF node_id ON entities FOR EACH ROW WHEN ((new.node_id IS NOT NULL)) EXECUTE FUNCTION entities_reject_node_access_tags();

CREATE TRIGGER entity_access_tags_association_reject_node_backed_entity BEFORE INSERT OR UPDATE OF entity_id ON entity_access_tags_association FOR EACH ROW EXECUTE FUNCTION entity_access_tags_association_reject_node_backed_entity();

CREATE TRIGGER node_access_tags_set_parent BEFORE INSERT OR UPDATE OF node_id ON node_access_tags_association FOR EACH ROW EXECUTE FUNCTION node_access_tags_set_parent();

CREATE TRIGGER node_access_tags_sync_parent_after_node_update AFTER UPDATE OF parent ON nodes FOR EACH ROW WHEN ((new.parent IS DISTINCT FROM old.parent)) EXECUTE FUNCTION node_access_tags_sync_parent_after_node_update();

CREATE TRIGGER update_closure_table_when_inserting AFTER INSERT ON nodes FOR EACH ROW EXECUTE FUNCTION update_closure_table_when_inserting();

ALTER TABLE data_source_asset_association
    ADD CONSTRAINT data_source_asset_association_asset_id_fkey FOREIGN KEY (asset_id) REFERENCES assets(id) ON DELETE CASCADE;

ALTER TABLE data_source_asset_association
    ADD CONSTRAINT data_source_asset_association_data_source_id_fkey FOREIGN KEY (data_source_id) REFERENCES data_sources(id) ON DELETE CASCADE;

ALTER TABLE data_sources
    ADD CONSTRAINT data_sources_node_id_fkey FOREIGN KEY (node_id) REFERENCES nodes(id) ON DELETE CASCADE;

ALTER TABLE data_sources
    ADD CONSTRAINT data_sources_structure_id_fkey FOREIGN KEY (structure_id) REFERENCES structures(id) ON DELETE CASCADE;

ALTER TABLE entities
    ADD CONSTRAINT entities_node_id_fkey FOREIGN KEY (node_id) REFERENCES nodes(id) ON DELETE CASCADE;

ALTER TABLE access_grants
    ADD CONSTRAINT fk_access_grants_access_tag FOREIGN KEY (tag_id) REFERENCES access_tags(id) ON DELETE CASCADE;

ALTER TABLE access_grants
    ADD CONSTRAINT fk_access_grants_principal FOREIGN KEY (principal_id) REFERENCES access_tags_principals(id) ON DELETE CASCADE;

ALTER TABLE access_tag_owners_association
    ADD CONSTRAINT fk_access_tag_owners_association_access_tag FOREIGN KEY (tag_id) REFERENCES access_tags(id) ON DELETE CASCADE;

ALTER TABLE access_tag_owners_association
    ADD CONSTRAINT fk_access_tag_owners_association_principal FOREIGN KEY (principal_id) REFERENCES access_tags_principals(id) ON DELETE CASCADE;

ALTER TABLE entity_access_tags_association
    ADD CONSTRAINT fk_entity_access_tags_association_entity FOREIGN KEY (entity_id) REFERENCES entities(id) ON DELETE CASCADE;

ALTER TABLE entity_access_tags_association
    ADD CONSTRAINT fk_entity_access_tags_association_tag FOREIGN KEY (tag_id) REFERENCES access_tags(id) ON DELETE CASCADE;

ALTER TABLE link_access_tags_association
    ADD CONSTRAINT fk_link_access_tags_association_link FOREIGN KEY (link_id) REFERENCES links(id) ON DELETE CASCADE;

ALTER TABLE link_access_tags_association
    ADD CONSTRAINT fk_link_access_tags_association_tag FOREIGN KEY (tag_id) REFERENCES access_tags(id) ON DELETE CASCADE;

ALTER TABLE node_access_tags_association
    ADD CONSTRAINT fk_node_access_tags_association_node FOREIGN KEY (node_id) REFERENCES nodes(id) ON DELETE CASCADE;

ALTER TABLE node_access_tags_association
    ADD CONSTRAINT fk_node_access_tags_association_tag FOREIGN KEY (tag_id) REFERENCES access_tags(id) ON DELETE CASCADE;

ALTER TABLE nodes
    ADD CONSTRAINT fk_nodes_parent FOREIGN KEY (parent) REFERENCES nodes(id) ON DELETE CASCADE;

ALTER TABLE links
    ADD CONSTRAINT links_object_id_fkey FOREIGN KEY (object_id) REFERENCES entities(id) ON DELETE CASCADE;

ALTER TABLE links
    ADD CONSTRAINT links_subject_id_fkey FOREIGN KEY (subject_id) REFERENCES entities(id) ON DELETE CASCADE;

ALTER TABLE nodes_closure
    ADD CONSTRAINT nodes_closure_ancestor_fkey FOREIGN KEY (ancestor) REFERENCES nodes(id) ON DELETE CASCADE;

ALTER TABLE nodes_closure
    ADD CONSTRAINT nodes_closure_descendant_fkey FOREIGN KEY (descendant) REFERENCES nodes(id) ON DELETE CASCADE;

ALTER TABLE revisions
    ADD CONSTRAINT revisions_node_id_fkey FOREIGN KEY (node_id) REFERENCES nodes(id) ON DELETE CASCADE;

ALTER TABLE webhook_deliveries
    ADD CONSTRAINT webhook_deliveries_webhook_id_fkey FOREIGN KEY (webhook_id) REFERENCES webhooks(id) ON DELETE CASCADE;

ALTER TABLE webhooks
    ADD CONSTRAINT webhooks_node_id_fkey FOREIGN KEY (node_id) REFERENCES nodes(id) ON DELETE CASCADE;

INSERT INTO nodes(id, key, parent, structure_family, metadata, specs) VALUES (0, '', NULL, 'container', '{}', '[]');
INSERT INTO access_tags(name, is_public) VALUES ('public', true) ON CONFLICT (name) DO NOTHING;
INSERT INTO node_access_tags_association(node_id, tag_id) SELECT 0, id FROM access_tags WHERE name = 'public';
INSERT INTO alembic_version(version_num) VALUES ('917dbbcfc4b1');
