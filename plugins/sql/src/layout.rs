//! How Tiled lays a table out in a database: one SQL table for each schema, shared by all data sources of that schema. Rows
//! carry `_dataset_id` (which data source) and `_partition_id`; columns have their names in lower case.

use std::sync::Arc;

use arrow::{
    array::{ArrayRef, Int16Array, Int32Array, RecordBatch},
    datatypes::{DataType, Field, Schema, SchemaRef},
    ipc::convert::try_schema_from_ipc_buffer,
};
use base64::Engine;
use md5::{Digest, Md5};
use serde_json::{Map, Value};
use tiled_plugin_api::{
    author::{Error, ErrorKind, Result},
    model::TableStructure,
};

use crate::{
    address::Dialect,
    names::{check_column, check_table, quoted, stored},
    types::{Kept, convert, keep},
};

/// Says in which order rows came, where the database has nothing for it: PostgreSQL. Ours; Tiled neither asks for it nor
/// is in its way, and its own tables lack it.
pub const ROW: &str = "_row_id";

/// A column of a table.
#[derive(Debug, Clone)]
pub struct Column {
    /// As clients know it.
    pub field: Arc<Field>,
    /// Its name in the database.
    pub stored: String,
    /// How its values are kept.
    pub kept: Kept,
}

/// A data source's place in a database.
#[derive(Debug, Clone)]
pub struct Layout {
    /// What kind of database.
    pub dialect: Dialect,
    /// The SQL table.
    pub table: String,
    /// Which rows of it; 0 before it is created.
    pub dataset: i32,
    /// In the order of the schema.
    pub columns: Vec<Column>,
    /// As clients know it.
    pub schema: SchemaRef,
    /// Partitions of the table.
    pub partitions: u64,
    /// Rows come in this order first: names in the database, and whether descending.
    pub order_by: Vec<(String, bool)>,
    /// No two rows of a data source may agree in these; names in the database.
    pub primary_key: Vec<String>,
}

/// The schema of a structure.
///
/// # Errors
/// `InvalidData` when it cannot be read.
pub fn schema_of(structure: &TableStructure) -> Result<SchemaRef> {
    let unreadable = || Error::invalid_data("The table's arrow_schema cannot be read");
    let text =
        structure.arrow_schema.split_once("base64,").map_or(structure.arrow_schema.as_str(), |(_, t)| t);
    let bytes = base64::engine::general_purpose::STANDARD.decode(text).map_err(|_| unreadable())?;
    try_schema_from_ipc_buffer(&bytes).map(Arc::new).map_err(|error| unreadable().with_detail(error))
}

impl Layout {
    /// The layout of a table with these parameters of its data source: `table_name`, `dataset_id`, `primary_key`,
    /// `order_by_args`.
    ///
    /// # Errors
    /// `InvalidData` for names that Tiled refuses, `InvalidArgument` for types that the database cannot keep.
    pub fn of(dialect: Dialect, structure: &TableStructure, parameters: &Map<String, Value>) -> Result<Self> {
        let schema = schema_of(structure)?;
        let key = texts(parameters.get("primary_key"));
        let table = match parameters.get("table_name") {
            None | Some(Value::Null) => default_table(&structure.arrow_schema, &key),
            Some(name) => {
                name.as_str().ok_or_else(|| Error::invalid_data("table_name is no text"))?.to_owned()
            }
        };
        check_table(&table)?;
        let mut columns = Vec::with_capacity(schema.fields().len());
        for field in schema.fields() {
            check_column(field.name())?;
            let column = Column {
                field: field.clone(),
                stored: stored(field.name()),
                kept: keep(dialect, field.data_type())?,
            };
            columns.push(column);
        }
        distinct(&columns)?;
        let dataset = parameters.get("dataset_id").and_then(Value::as_i64).unwrap_or(0);
        let dataset =
            i32::try_from(dataset).map_err(|_| Error::invalid_data("dataset_id is out of range"))?;
        let known = |name: &String| {
            columns.iter().find(|column| column.field.name() == name).map(|column| column.stored.clone())
        };
        let primary_key = key
            .iter()
            .map(|name| {
                known(name).ok_or_else(|| {
                    let text = format!("primary_key column '{name}' is not in the structure columns");
                    Error::new(ErrorKind::InvalidArgument, text)
                })
            })
            .collect::<Result<_>>()?;
        let order_by = order_by(parameters.get("order_by_args"), &known)?;
        let partitions = structure.npartitions.max(1);
        Ok(Layout { dialect, table, dataset, columns, schema, partitions, order_by, primary_key })
    }

    /// The statement that makes the table where it is missing.
    pub fn create_table(&self) -> String {
        let mut columns =
            vec!["\"_dataset_id\" INTEGER NULL".to_owned(), "\"_partition_id\" SMALLINT NULL".to_owned()];
        if self.dialect == Dialect::Sqlite {
            columns[1] = "\"_partition_id\" INTEGER NULL".into();
        }
        if self.dialect == Dialect::Postgres && self.free_name(&[ROW]).is_some() {
            columns.push(format!("\"{ROW}\" BIGINT GENERATED BY DEFAULT AS IDENTITY"));
        }
        columns.extend(self.columns.iter().map(|column| {
            // SQLite keeps NaN as NULL.
            let nan = self.dialect == Dialect::Sqlite && column.field.data_type().is_floating();
            let null = if column.field.is_nullable() || nan { "NULL" } else { "NOT NULL" };
            format!("{} {} {null}", quoted(&column.stored), column.kept.sql)
        }));
        format!("CREATE TABLE IF NOT EXISTS {} ({})", quoted(&self.table), columns.join(",\n "))
    }

    /// The statements that make its indexes where they are missing. `numbered`: whether it has the column [`ROW`], which
    /// tables that Tiled made lack.
    pub fn create_indexes(&self, numbered: bool) -> Vec<String> {
        let table = quoted(&self.table);
        let mut statements = Vec::new();
        // Names of indexes are those of the whole database, so each table has its own. (Tiled gives all tables one name:
        // only the first of them gets an index.) DuckDB finds rows by its zone maps; an index would only slow it.
        let tag = &hex(&self.table)[..16];
        if self.dialect != Dialect::DuckDb {
            let more = if numbered { ", _row_id" } else { "" };
            statements.push(format!(
                "CREATE INDEX IF NOT EXISTS \"ix_{tag}_partition\" ON {table} (_dataset_id, _partition_id{more})"
            ));
        }
        if !self.primary_key.is_empty() {
            let key: Vec<String> = self.primary_key.iter().map(|name| quoted(name)).collect();
            statements.push(format!(
                "CREATE UNIQUE INDEX IF NOT EXISTS \"ux_{tag}_key\" ON {table} (_dataset_id, {})",
                key.join(", ")
            ));
        }
        statements
    }

    /// A condition on the rows of this data source, or of one partition of it.
    pub fn condition(&self, partition: Option<u64>) -> String {
        let all = format!("_dataset_id = {}", self.dataset);
        partition.map_or(all.clone(), |partition| format!("{all} AND _partition_id = {partition}"))
    }

    /// A query of these columns (places in `columns`), in order. `numbered`: whether the table has the column [`ROW`].
    pub fn select(&self, places: &[usize], condition: &str, numbered: bool) -> String {
        let columns = places.iter().filter_map(|place| self.columns.get(*place));
        // With the table before it: SQLite takes a name in quotes that it does not know for a text.
        let names: Vec<String> =
            columns.clone().map(|column| format!("t.{}", quoted(&column.stored))).collect();
        let names = if names.is_empty() { "t._dataset_id".to_owned() } else { names.join(", ") };
        let mut order: Vec<String> = self
            .order_by
            .iter()
            .map(|(name, descending)| {
                format!("{} {}", quoted(name), if *descending { "DESC" } else { "ASC" })
            })
            .collect();
        // Rows that tie come as they were written. DuckDB reads in that order unless it is asked for another one.
        match self.dialect {
            Dialect::DuckDb if order.is_empty() => {}
            Dialect::DuckDb => order.extend(self.free_name(&["rowid"])),
            Dialect::Sqlite => order.extend(self.free_name(&["rowid", "_rowid_", "oid"])),
            // Where the rows stand: their order as long as none was removed.
            Dialect::Postgres => order.push(if numbered { ROW.into() } else { "ctid".into() }),
        }
        let order = if order.is_empty() { String::new() } else { format!(" ORDER BY {}", order.join(", ")) };
        let select = format!("SELECT {names} FROM {} AS t WHERE {condition}{order}", quoted(&self.table));
        if self.dialect != Dialect::Sqlite {
            return select;
        }
        // SQLite's driver takes a column's type from the first rows: the first one says it, and is left out.
        let zeros: Vec<&str> = columns
            .map(|column| match &column.kept.arrow {
                DataType::Float64 => "0.0",
                DataType::Utf8 => "''",
                DataType::Binary => "x''",
                _ => "0",
            })
            .collect();
        let zeros = if zeros.is_empty() { "0".to_owned() } else { zeros.join(", ") };
        format!("SELECT {zeros} UNION ALL SELECT * FROM ({select})")
    }

    fn free_name(&self, names: &[&str]) -> Option<String> {
        let taken = |name: &str| self.columns.iter().any(|column| column.stored == name);
        names.iter().find(|name| !taken(name)).map(|name| (*name).to_owned())
    }

    /// The columns of the table as they are ingested.
    pub fn ingest_schema(&self) -> SchemaRef {
        let mut fields = vec![
            Field::new("_dataset_id", DataType::Int32, true),
            Field::new("_partition_id", DataType::Int16, true),
        ];
        let own = |column: &Column| {
            Field::new(&column.stored, column.kept.arrow.clone(), column.field.is_nullable())
        };
        fields.extend(self.columns.iter().map(own));
        Arc::new(Schema::new(fields))
    }

    /// Rows as they are ingested; `batch` may have its columns in any order.
    ///
    /// # Errors
    /// `InvalidArgument` when columns are missing, too many or of values that do not fit.
    pub fn prepare(&self, batch: &RecordBatch, partition: i16) -> Result<RecordBatch> {
        let given = batch.schema();
        if let Some(more) = given.fields().iter().find(|field| self.schema.index_of(field.name()).is_err()) {
            return Err(refuse(format!("The table has no column {}", more.name())));
        }
        let rows = batch.num_rows();
        let mut columns: Vec<ArrayRef> = vec![
            Arc::new(Int32Array::from_value(self.dataset, rows)),
            Arc::new(Int16Array::from_value(partition, rows)),
        ];
        for column in &self.columns {
            let name = column.field.name();
            let values =
                batch.column_by_name(name).ok_or_else(|| refuse(format!("Column {name} is missing")))?;
            let within = |error: Error| error.within(format!("column {name}"));
            // First what the table promises, then what the database keeps.
            let values = convert(values, column.field.data_type()).map_err(within)?;
            if !column.field.is_nullable() && values.null_count() > 0 {
                return Err(refuse(format!(
                    "column {name}: a value is missing, and the table allows none to be"
                )));
            }
            columns.push(convert(&values, &column.kept.arrow).map_err(within)?);
        }
        RecordBatch::try_new(self.ingest_schema(), columns).map_err(|error| refuse(error.to_string()))
    }
}

fn refuse(message: String) -> Error {
    Error::new(ErrorKind::InvalidArgument, message)
}

fn texts(value: Option<&Value>) -> Vec<String> {
    let items = value.and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    items.iter().filter_map(Value::as_str).map(str::to_owned).collect()
}

fn order_by(value: Option<&Value>, known: &dyn Fn(&String) -> Option<String>) -> Result<Vec<(String, bool)>> {
    let items = value.and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let mut found = Vec::new();
    for item in items {
        let name = item.get("column").and_then(Value::as_str).unwrap_or_default().to_owned();
        let Some(stored) = known(&name) else {
            return Err(refuse(format!("order_by column '{name}' is not in the structure columns")));
        };
        let descending = match item.get("direction").and_then(Value::as_str) {
            Some("asc") => false,
            Some("desc") => true,
            _ => return Err(refuse("order_by direction must be 'asc' or 'desc'".to_owned())),
        };
        found.push((stored, descending));
    }
    Ok(found)
}

fn distinct(columns: &[Column]) -> Result<()> {
    let mut names: Vec<&str> = columns.iter().map(|column| column.stored.as_str()).collect();
    names.extend(["_dataset_id", "_partition_id"]);
    names.sort_unstable();
    if names.windows(2).any(|pair| pair[0] == pair[1]) {
        return Err(Error::invalid_data("Column names must be unique when converted to lower case."));
    }
    Ok(())
}

fn hex(text: &str) -> String {
    Md5::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Tiled's name for a table of this schema.
fn default_table(arrow_schema: &str, primary_key: &[String]) -> String {
    format!("table_{}", hex(&format!("{arrow_schema}{}", primary_key.concat())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn structure(fields: Vec<Field>) -> TableStructure {
        tiled_plugin_api::author::table_structure(&Schema::new(fields), 1).unwrap()
    }

    fn parameters(value: Value) -> Map<String, Value> {
        value.as_object().cloned().unwrap()
    }

    #[test]
    fn tables_are_declared_as_tiled_declares_them() {
        let fields = vec![
            Field::new("Time", DataType::Float64, false),
            Field::new(
                "node0-offsets",
                DataType::List(Arc::new(Field::new("item", DataType::Int64, true))),
                true,
            ),
        ];
        let layout = |dialect| {
            let named = parameters(serde_json::json!({"table_name": "t", "primary_key": ["Time"]}));
            Layout::of(dialect, &structure(fields.clone()), &named).unwrap()
        };
        assert_eq!(
            layout(Dialect::DuckDb).create_table(),
            "CREATE TABLE IF NOT EXISTS \"t\" (\"_dataset_id\" INTEGER NULL,\n \"_partition_id\" SMALLINT NULL,\n \
             \"time\" DOUBLE NOT NULL,\n \"node0-offsets\" BIGINT[] NULL)"
        );
        let postgres = layout(Dialect::Postgres);
        assert!(
            postgres
                .create_table()
                .ends_with("\"time\" DOUBLE PRECISION NOT NULL,\n \"node0-offsets\" BIGINT ARRAY NULL)")
        );
        let indexes = postgres.create_indexes(true);
        assert!(indexes[0].ends_with("(_dataset_id, _partition_id, _row_id)"), "{}", indexes[0]);
        assert!(
            indexes[1].contains("UNIQUE") && indexes[1].ends_with("ON \"t\" (_dataset_id, \"time\")"),
            "{}",
            indexes[1]
        );
    }

    #[test]
    fn names_that_are_one_in_lower_case_are_refused() {
        for names in [["A", "a"], ["x", "_Dataset_ID"]] {
            let fields = names.map(|name| Field::new(name, DataType::Int64, true)).to_vec();
            let error = Layout::of(Dialect::DuckDb, &structure(fields), &Map::new()).unwrap_err();
            assert_eq!(error.message, "Column names must be unique when converted to lower case.");
        }
    }

    #[test]
    fn tables_are_named_by_the_digest_of_their_schema() {
        assert_eq!(default_table("abc", &[]), "table_900150983cd24fb0d6963f7d28e17f72");
    }
}
