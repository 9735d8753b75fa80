//! The search index in PostgreSQL: its table and triggers, and how rows that were there before enter it.

use super::facts::{DEPTH, LIST_LENGTH, METADATA_BYTES, TEXT_LENGTH};

/// What makes the table and triggers.
pub(super) fn create() -> String {
    include_str!("index_postgres.sql")
        .replace("{DEPTH}", &DEPTH.to_string())
        .replace("{LIST_LENGTH}", &LIST_LENGTH.to_string())
        .replace("{METADATA_BYTES}", &METADATA_BYTES.to_string())
        .replace("{TEXT_LENGTH}", &TEXT_LENGTH.to_string())
}

/// Takes table and triggers away again.
pub(super) const DROP: &str = "DROP TRIGGER IF EXISTS tiled_host_1_added ON nodes; \
     DROP TRIGGER IF EXISTS tiled_host_1_changed ON nodes; DROP FUNCTION IF EXISTS tiled_host_keep(); \
     DROP FUNCTION IF EXISTS tiled_host_walk(JSONB, JSONB, TEXT); DROP TABLE IF EXISTS tiled_host_facts; \
     DROP TABLE IF EXISTS tiled_host_state;";

/// Gives 1 where all of it is there.
pub(super) const PRESENT: &str = "SELECT CASE WHEN to_regclass('tiled_host_state') IS NOT NULL \
     AND to_regclass('tiled_host_facts') IS NOT NULL AND 2 = (SELECT count(*) FROM pg_trigger \
     WHERE tgrelid = to_regclass('nodes') AND tgname IN ('tiled_host_1_added', 'tiled_host_1_changed') \
     AND tgenabled = 'O') THEN 1 ELSE 0 END";

/// Adds the rows of `nodes` with ids above `?1` and up to `?2`, which nobody may change meanwhile.
pub(super) const ADD_RANGE: &str = "INSERT INTO tiled_host_facts (path, kind, num, txt, parent, node) \
     SELECT w.path, w.kind, w.num, w.txt, coalesce(r.parent, -1), r.id \
     FROM (SELECT * FROM nodes WHERE id > ?1 AND id <= ?2 FOR SHARE) r, \
     LATERAL tiled_host_walk(r.metadata, r.specs, CAST(r.structure_family AS TEXT)) w ON CONFLICT DO NOTHING";
