-- The search index of tiled-host in PostgreSQL, kept by a trigger, so that rows written by any other program enter it
-- as well. A path is kept as its hash; a value by its kind (0 number, 1 text, 2 boolean, 3 list, 4 object, 5 null,
-- 6 a long list) and what sorts it within its kind. Numbers in braces are constants of `facts.rs`.

CREATE TABLE tiled_host_state (version INTEGER NOT NULL, indexed_to INTEGER NOT NULL, ready INTEGER NOT NULL);

CREATE TABLE tiled_host_facts (
    path BIGINT NOT NULL, kind SMALLINT NOT NULL, num NUMERIC NOT NULL, txt TEXT COLLATE "C" NOT NULL,
    parent INTEGER NOT NULL, node INTEGER NOT NULL,
    PRIMARY KEY (path, kind, num, txt, parent, node)
);

CREATE FUNCTION tiled_host_walk(metadata JSONB, specs JSONB, family TEXT)
RETURNS TABLE (path BIGINT, kind SMALLINT, num NUMERIC, txt TEXT) LANGUAGE sql IMMUTABLE ROWS 30 AS $$
    WITH RECURSIVE walk (path, depth, type, value) AS (
        SELECT '', 0, 'object', metadata
            WHERE jsonb_typeof(metadata) = 'object' AND octet_length(metadata::text) <= {METADATA_BYTES}
        UNION ALL
        SELECT inner_.path, walk.depth + 1, jsonb_typeof(inner_.value), inner_.value
        FROM walk, LATERAL (
            SELECT walk.path || '.' || e.key AS path, e.value FROM jsonb_each(walk.value) e
                WHERE walk.type = 'object' AND walk.depth < {DEPTH} AND strpos(e.key, '.') = 0
            UNION ALL
            SELECT '[' || walk.path, e.value FROM jsonb_array_elements(walk.value) e
                WHERE walk.type = 'array' AND jsonb_array_length(walk.value) <= {LIST_LENGTH}
        ) inner_
        WHERE walk.type IN ('object', 'array') AND left(walk.path, 1) <> '['
    ), found (path, type, value) AS (
        SELECT CASE WHEN type = 'number' AND pg_column_size(value) > 600 THEN '!' ELSE path END, type, value
            FROM walk WHERE depth > 0
        UNION ALL SELECT '[' || path, 'long', value FROM walk
            WHERE type = 'array' AND left(path, 1) <> '[' AND jsonb_array_length(value) > {LIST_LENGTH}
        UNION ALL SELECT '#', 'string', s -> 'name' FROM jsonb_array_elements(
            CASE jsonb_typeof(specs) WHEN 'array' THEN specs ELSE '[]' END) s
            WHERE jsonb_typeof(s -> 'name') = 'string'
        UNION ALL SELECT '^', 'string', to_jsonb(family)
        UNION ALL SELECT '!', 'number', '0' WHERE octet_length(metadata::text) > {METADATA_BYTES}
    )
    SELECT hashtextextended(path, 0),
        CASE type WHEN 'number' THEN 0 WHEN 'string' THEN 1 WHEN 'boolean' THEN 2 WHEN 'array' THEN 3
            WHEN 'object' THEN 4 WHEN 'null' THEN 5 ELSE 6 END::smallint,
        CASE WHEN type = 'number' AND path <> '!' THEN value::numeric
            WHEN type = 'boolean' THEN value::boolean::integer::numeric ELSE 0 END,
        CASE type WHEN 'string' THEN left(value #>> '{}', {TEXT_LENGTH}) ELSE '' END
    FROM found
$$;

CREATE FUNCTION tiled_host_keep() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP <> 'INSERT' THEN
        DELETE FROM tiled_host_facts f
            USING tiled_host_walk(OLD.metadata, OLD.specs, OLD.structure_family::text) w
            WHERE f.path = w.path AND f.kind = w.kind AND f.num = w.num AND f.txt = w.txt
                AND f.parent = coalesce(OLD.parent, -1) AND f.node = OLD.id;
    END IF;
    IF TG_OP <> 'DELETE' THEN
        INSERT INTO tiled_host_facts (path, kind, num, txt, parent, node)
            SELECT w.path, w.kind, w.num, w.txt, coalesce(NEW.parent, -1), NEW.id
            FROM tiled_host_walk(NEW.metadata, NEW.specs, NEW.structure_family::text) w ON CONFLICT DO NOTHING;
    END IF;
    RETURN NULL;
END $$;

CREATE TRIGGER tiled_host_1_added AFTER INSERT OR DELETE ON nodes FOR EACH ROW EXECUTE FUNCTION tiled_host_keep();

CREATE TRIGGER tiled_host_1_changed AFTER UPDATE ON nodes FOR EACH ROW
WHEN (OLD.id <> NEW.id OR OLD.parent IS DISTINCT FROM NEW.parent OR OLD.metadata <> NEW.metadata
    OR OLD.specs <> NEW.specs OR OLD.structure_family <> NEW.structure_family)
EXECUTE FUNCTION tiled_host_keep();
