//! Tables kept as Parquet or as Arrow files.

use std::{fs::File, io::Write, path::Path, sync::Arc};

use arrow::{
    array::{RecordBatch, RecordBatchIterator},
    datatypes::{DataType, Field, Schema, SchemaRef},
    error::ArrowError,
    ipc::reader::FileReader,
};
use parquet::arrow::ArrowSchemaConverter;
use tiled_plugin_api::author::{Context, Error, ErrorKind, Result};
use tiled_tabular::{Rows, fit::converted as cast_exactly, guard::guarded, store::TableFormat};

use crate::serializer::{write_arrow, write_parquet};

/// `application/x-parquet`.
#[derive(Clone)]
pub struct ParquetFormat;

impl TableFormat for ParquetFormat {
    fn suffix(&self) -> &'static str {
        "parquet"
    }

    fn check(&self, schema: &Schema) -> Result<()> {
        for field in schema.fields() {
            let alone = Schema::new(vec![field.clone()]);
            // The crate panics on unions, wherever they are.
            let converted = if has_union(field.data_type()) {
                Err(Error::unsupported("unions"))
            } else {
                guarded(field.name(), || {
                    ArrowSchemaConverter::new().convert(&alone).map(|_| ()).map_err(Error::internal)
                })
            };
            if let Err(error) = converted {
                let message = format!(
                    "Column {} of type {} cannot be kept as Parquet. Choose another type for it, or keep the table as \
                     application/vnd.apache.arrow.file",
                    field.name(),
                    field.data_type()
                );
                return Err(Error::new(ErrorKind::Unsupported, message).with_detail(error));
            }
        }
        Ok(())
    }

    fn encode(&self, mut rows: Rows, to: &mut (dyn Write + Send)) -> Result<()> {
        write_parquet(&mut rows, to)
    }

    fn encode_more(&self, _: &Context, _: &Path, _: Rows, _: &mut (dyn Write + Send)) -> Result<()> {
        let message = "Parquet files are not for appending. Create the table as application/x-tiled-sql-table, \
                       text/csv or application/vnd.apache.arrow.file";
        Err(Error::new(ErrorKind::Unsupported, message))
    }
}

fn has_union(data_type: &DataType) -> bool {
    match data_type {
        DataType::Union(..) => true,
        DataType::Struct(fields) => fields.iter().any(|field| has_union(field.data_type())),
        DataType::List(inner)
        | DataType::LargeList(inner)
        | DataType::FixedSizeList(inner, _)
        | DataType::Map(inner, _) => has_union(inner.data_type()),
        DataType::Dictionary(_, values) => has_union(values),
        _ => false,
    }
}

/// `application/vnd.apache.arrow.file`. Appending copies what is there.
#[derive(Clone)]
pub struct ArrowFormat;

impl TableFormat for ArrowFormat {
    fn suffix(&self) -> &'static str {
        "arrow"
    }

    fn check(&self, _schema: &Schema) -> Result<()> {
        Ok(())
    }

    fn encode(&self, mut rows: Rows, to: &mut (dyn Write + Send)) -> Result<()> {
        write_arrow(&mut rows, to)
    }

    fn encode_more(
        &self,
        cx: &Context,
        before: &Path,
        mut rows: Rows,
        to: &mut (dyn Write + Send),
    ) -> Result<()> {
        let before = FileReader::try_new(File::open(before)?, None).map_err(Error::from_arrow)?;
        let schema = before.schema();
        let wanted = schema.clone();
        let more = std::iter::from_fn(move || rows.next().map_err(Error::into_arrow).transpose());
        let more = more.map(move |batch| in_columns_of(&wanted, &batch?));
        let all = RecordBatchIterator::new(before.chain(more), schema);
        write_arrow(&mut Rows::new(cx, Box::new(all)), to)
    }
}

/// The batch with the columns and types of a file's schema.
fn in_columns_of(schema: &SchemaRef, batch: &RecordBatch) -> Result<RecordBatch, ArrowError> {
    let column = |field: &Arc<Field>| {
        let column = batch.column_by_name(field.name()).ok_or_else(|| {
            let message = format!("The rows before have a column {}, these have not", field.name());
            Error::new(ErrorKind::Conflict, message).into_arrow()
        })?;
        cast_exactly(column, field.data_type()).map_err(|error| {
            let message =
                format!("Column {} of the rows before is {}: {error}", field.name(), field.data_type());
            Error::new(ErrorKind::Conflict, message).into_arrow()
        })
    };
    let columns = schema.fields().iter().map(column).collect::<Result<Vec<_>, _>>()?;
    RecordBatch::try_new(schema.clone(), columns)
}
