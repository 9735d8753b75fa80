//! The search index in SQLite: its tables and triggers, and how rows that were there before enter it.

use super::facts::{DEPTH, LIST_LENGTH, METADATA_BYTES, TEXT_LENGTH};
use super::facts_sql::ODD;

/// What makes the tables and triggers.
pub(super) fn create() -> String {
    let with =
        |text: String, what: &str, row: &str, sql: String| text.replace(&format!("{{{what} {row}}}"), &sql);
    let text = include_str!("index_sqlite.sql").to_owned();
    let text = with(text, "ADD", "new", move_to("enter", "new"));
    with(text, "REMOVE", "old", move_to("leave", "old"))
}

/// Takes tables and triggers away again.
pub(super) const DROP: &str = "DROP TRIGGER IF EXISTS tiled_host_1_added; DROP TRIGGER IF EXISTS tiled_host_1_removed; \
     DROP TRIGGER IF EXISTS tiled_host_1_changed; DROP VIEW IF EXISTS tiled_host_enter; \
     DROP VIEW IF EXISTS tiled_host_leave; \
     DROP VIEW IF EXISTS tiled_host_build; DROP TABLE IF EXISTS tiled_host_facts; \
     DROP TABLE IF EXISTS tiled_host_paths; DROP TABLE IF EXISTS tiled_host_state;";

/// Gives 1 where all of it is there.
pub(super) const PRESENT: &str = "SELECT count(*) = 12 FROM sqlite_schema WHERE name IN ('tiled_host_state', \
     'tiled_host_paths', 'tiled_host_facts', 'tiled_host_1_added', 'tiled_host_1_removed', 'tiled_host_1_changed', \
     'tiled_host_enter', 'tiled_host_leave', 'tiled_host_1_enter', 'tiled_host_1_leave', \
     'tiled_host_build', 'tiled_host_1_build')";

/// Adds the rows of `nodes` with ids above `?1` and up to `?2`.
pub(super) const ADD_RANGE: &str = "INSERT INTO tiled_host_build (id, parent, structure_family, metadata, specs) \
     SELECT id, parent, structure_family, metadata, specs FROM nodes WHERE id > ?1 AND id <= ?2";

/// Puts the facts of a row into one of the views.
fn move_to(view: &str, row: &str) -> String {
    format!(
        "    INSERT INTO tiled_host_{view} (path, value, parent, node)
        SELECT w.path, w.value, coalesce({row}.parent, -1), {row}.id FROM {} w;",
        values(row)
    )
}

/// Path and value of every fact of a row.
fn values(row: &str) -> String {
    let metadata = format!(
        "CASE WHEN length({row}.metadata) <= {METADATA_BYTES} AND json_valid({row}.metadata)
            AND json_type({row}.metadata) = 'object' THEN {row}.metadata ELSE '{{}}' END"
    );
    format!(
        "(WITH RECURSIVE walk (path, depth, type, atom, value) AS (
            SELECT '.' || j.key, 1, j.type, j.atom, j.value FROM json_each({metadata}) j WHERE instr(j.key, '.') = 0
            UNION ALL
            SELECT CASE walk.type WHEN 'object' THEN walk.path || '.' || j.key ELSE '[' || walk.path END,
                walk.depth + 1, j.type, j.atom, j.value
            FROM walk, json_each(CASE WHEN walk.type = 'object' AND walk.depth < {DEPTH} THEN walk.value
                WHEN walk.type = 'array' AND json_array_length(walk.value) <= {LIST_LENGTH} THEN walk.value
                ELSE '[]' END) j
            WHERE walk.type IN ('object', 'array') AND substr(walk.path, 1, 1) = '.'
                AND (walk.type = 'array' OR instr(j.key, '.') = 0)
        )
        SELECT path, CASE type WHEN 'integer' THEN atom WHEN 'real' THEN atom
            WHEN 'text' THEN substr(atom, 1, {TEXT_LENGTH}) WHEN 'false' THEN x'02' WHEN 'true' THEN x'03'
            WHEN 'array' THEN x'04' WHEN 'object' THEN x'05' ELSE x'06' END AS value FROM walk
        UNION ALL SELECT '[' || path, x'07' FROM walk
            WHERE type = 'array' AND substr(path, 1, 1) = '.' AND json_array_length(value) > {LIST_LENGTH}
        UNION ALL SELECT '#', substr(json_extract(s.value, '$.name'), 1, {TEXT_LENGTH})
            FROM json_each(CASE WHEN json_valid({row}.specs) THEN {row}.specs ELSE '[]' END) s
            WHERE json_type(s.value, '$.name') = 'text'
        UNION ALL SELECT '?', 0 WHERE {row}.metadata GLOB '{ODD}'
        UNION ALL SELECT '^', {row}.structure_family
        UNION ALL SELECT '!', 0 WHERE length({row}.metadata) > {METADATA_BYTES})"
    )
}
