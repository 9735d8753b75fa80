//! Rows as record batches.

use std::{io::Read, sync::Arc};

use arrow::{
    array::{
        ArrayRef, BooleanBuilder, Float64Builder, Int64Builder, RecordBatch, RecordBatchOptions,
        StringBuilder, UInt64Builder,
    },
    datatypes::{DataType, Field, Schema, SchemaRef},
};
use tiled_plugin_api::author::{Context, Error, Result, Source};
use tiled_tabular::{
    fit::converted,
    pandas,
    values::{Whole, float, truth, whole},
};

use crate::{
    layout::{Column, Rows, Type, rows},
    options::Options,
    text,
    tokens::Record,
};

/// A batch ends at this many rows or bytes of text.
const BATCH_ROWS: usize = 65_536;
const BATCH_BYTES: usize = 8 << 20;

/// What values of a type are read as.
pub fn arrow_type(kind: Type) -> DataType {
    match kind {
        Type::Bool => DataType::Boolean,
        Type::Int => DataType::Int64,
        Type::Uint => DataType::UInt64,
        Type::Float => DataType::Float64,
        Type::Text | Type::RawText => DataType::Utf8,
    }
}

/// The schema of these columns, the index last.
pub fn schema(columns: &[Column], index: &[Column]) -> SchemaRef {
    let field = |name: String, column: &Column| {
        let data_type = column.target.clone().unwrap_or_else(|| arrow_type(column.kind));
        Field::new(name, data_type, true)
    };
    let names: Vec<String> = (0..index.len()).map(|level| format!("__index_level_{level}__")).collect();
    let fields = columns.iter().map(|column| field(column.name.clone(), column));
    let levels = index.iter().zip(&names).map(|(column, name)| field(name.clone(), column));
    let schema = Schema::new(fields.chain(levels).collect::<Vec<_>>());
    if names.is_empty() {
        return Arc::new(schema);
    }
    let metadata =
        std::collections::HashMap::from([("pandas".to_owned(), pandas::metadata(&schema, &names))]);
    Arc::new(schema.with_metadata(metadata))
}

enum Builder {
    Bool(BooleanBuilder),
    Int(Int64Builder),
    Uint(UInt64Builder),
    Float(Float64Builder),
    Text(StringBuilder),
}

impl Builder {
    fn new(kind: Type) -> Self {
        match kind {
            Type::Bool => Builder::Bool(BooleanBuilder::new()),
            Type::Int => Builder::Int(Int64Builder::new()),
            Type::Uint => Builder::Uint(UInt64Builder::new()),
            Type::Float => Builder::Float(Float64Builder::new()),
            Type::Text | Type::RawText => Builder::Text(StringBuilder::new()),
        }
    }

    /// Adds a field; `false` where it is no value of this type.
    fn push(&mut self, field: &[u8], missing: bool, latin1: bool) -> bool {
        match self {
            Builder::Bool(to) if missing => to.append_null(),
            Builder::Bool(to) => match truth(field) {
                Some(value) => to.append_value(value),
                None => return false,
            },
            Builder::Int(to) => match whole(field) {
                Whole::Int(value) if !missing => to.append_value(value),
                _ => return false,
            },
            Builder::Uint(to) => match whole(field) {
                Whole::Int(value) if !missing && value >= 0 => to.append_value(value.unsigned_abs()),
                Whole::Uint(value) if !missing => to.append_value(value),
                _ => return false,
            },
            Builder::Float(to) if missing => to.append_null(),
            Builder::Float(to) => match float(field) {
                Some(value) => to.append_value(value),
                None => return false,
            },
            Builder::Text(to) if missing => to.append_null(),
            Builder::Text(to) => to.append_value(text::field(field, latin1)),
        }
        true
    }

    fn finish(&mut self) -> ArrayRef {
        match self {
            Builder::Bool(from) => Arc::new(from.finish()),
            Builder::Int(from) => Arc::new(from.finish()),
            Builder::Uint(from) => Arc::new(from.finish()),
            Builder::Float(from) => Arc::new(from.finish()),
            Builder::Text(from) => Arc::new(from.finish()),
        }
    }
}

/// Batches of one file.
pub struct Batches {
    cx: Context,
    name: String,
    rows: Rows<Box<dyn Read + Send>>,
    columns: Vec<Column>,
    schema: SchemaRef,
    options: Arc<Options>,
    latin1: bool,
    row: u64,
    ended: bool,
}

impl Batches {
    /// The columns of a file, with the types given, as batches of `schema`.
    ///
    /// # Errors
    /// Those of the source.
    pub fn open(
        cx: &Context,
        source: &Source,
        options: Arc<Options>,
        columns: Vec<Column>,
        schema: SchemaRef,
        latin1: bool,
    ) -> Result<Self> {
        let name = source.name();
        let (rows, _) = rows(source, &options).map_err(|error| error.within(&name))?;
        Ok(Batches { cx: cx.clone(), name, rows, columns, schema, options, latin1, row: 0, ended: false })
    }

    fn batch(&mut self) -> Result<Option<RecordBatch>> {
        self.cx.check()?;
        let mut builders: Vec<Builder> =
            self.columns.iter().map(|column| Builder::new(column.kind)).collect();
        let (mut record, mut count, mut bytes) = (Record::default(), 0, 0);
        while count < BATCH_ROWS && bytes < BATCH_BYTES {
            if !self.rows.next(&mut record)? {
                self.ended = true;
                break;
            }
            for (column, builder) in self.columns.iter().zip(&mut builders) {
                let field = record.field(column.place);
                let missing = column.kind != Type::RawText && self.options.is_missing(field);
                if !builder.push(field, missing, self.latin1) {
                    let (row, field) = (self.row, text::field(field, self.latin1));
                    let message =
                        format!("row {row}, column {}: {field:?} is no {:?}", column.name, column.kind);
                    return Err(Error::invalid_data(message));
                }
                bytes += field.len();
            }
            self.row += 1;
            count += 1;
        }
        if count == 0 {
            return Ok(None);
        }
        let arrays = self.columns.iter().zip(&mut builders).map(|(column, builder)| {
            let read = builder.finish();
            let Some(target) = &column.target else { return Ok(read) };
            converted(&read, target).map_err(|error| {
                Error::invalid_data(format!("column {} before row {}: {error}", column.name, self.row))
            })
        });
        let arrays = arrays.collect::<Result<Vec<ArrayRef>>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(count));
        let batch = RecordBatch::try_new_with_options(self.schema.clone(), arrays, &options);
        batch.map(Some).map_err(Error::from_arrow)
    }
}

impl Iterator for Batches {
    type Item = Result<RecordBatch>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let batch = self.batch();
        self.ended |= !matches!(batch, Ok(Some(_)));
        batch
            .map_err(
                |error| if error.message.starts_with(&self.name) { error } else { error.within(&self.name) },
            )
            .transpose()
    }
}
