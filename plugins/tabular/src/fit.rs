//! Rows that a client sends, made to fit the columns that the table was created with.

use std::sync::Arc;

use arrow::{
    array::{ArrayRef, RecordBatch, RecordBatchOptions, RecordBatchReader},
    compute::{CastOptions, cast_with_options},
    datatypes::{DataType, Field, Schema, SchemaRef},
    error::ArrowError,
    ipc::{convert::try_fb_to_schema, root_as_message},
};
use base64::Engine;
use tiled_plugin_api::author::{Error, ErrorKind, Result};

use crate::pandas;

/// The schema in a table structure's `arrow_schema`.
///
/// # Errors
/// `InvalidArgument` where it is none.
pub fn decode_schema(uri: &str) -> Result<SchemaRef> {
    let wrong = |why: &str| Error::new(ErrorKind::InvalidArgument, format!("arrow_schema: {why}"));
    let (head, text) = uri.split_once(',').ok_or_else(|| wrong("it is no data URI"))?;
    if !head.starts_with("data:") || !head.ends_with(";base64") {
        return Err(wrong("it is no data URI in base64"));
    }
    let bytes = base64::engine::general_purpose::STANDARD.decode(text);
    let bytes = bytes.map_err(|error| wrong(&error.to_string()))?;
    // A length, with a marker in front of it since Arrow 0.15, then the message.
    let skip = if bytes.starts_with(&[0xff; 4]) { 8 } else { 4 };
    let message = root_as_message(bytes.get(skip..).unwrap_or_default());
    let message = message.map_err(|error| wrong(&error.to_string()))?;
    let schema = message.header_as_schema().ok_or_else(|| wrong("it holds no schema"))?;
    try_fb_to_schema(schema).map(Arc::new).map_err(|error| wrong(&error.to_string()))
}

/// Record batches of a payload with the columns and types of the table.
pub struct Fitted {
    inner: Box<dyn RecordBatchReader + Send>,
    places: Vec<usize>,
    schema: SchemaRef,
}

impl Fitted {
    /// The rows of `inner` in the order of `declared`, each column in its type. pandas' index may be there or not; what
    /// pandas says of the columns comes with the rows.
    ///
    /// # Errors
    /// `InvalidArgument` naming the columns that are missing, unknown or of another kind.
    pub fn new(inner: Box<dyn RecordBatchReader + Send>, declared: &Schema) -> Result<Self> {
        let sent = inner.schema();
        same_names(declared, &sent)?;
        let (mut places, mut fields, mut odd) = (Vec::new(), Vec::new(), Vec::new());
        for wanted in declared.fields() {
            let Some((place, got)) = sent.fields().find(wanted.name()) else { continue };
            match fitting(wanted.data_type(), got.data_type()) {
                Some(data_type) => fields.push(Field::new(wanted.name(), data_type, true)),
                None => odd.push(format!(
                    "{} is {} where the table has {}",
                    wanted.name(),
                    got.data_type(),
                    wanted.data_type()
                )),
            }
            places.push(place);
        }
        if !odd.is_empty() {
            return Err(Error::new(
                ErrorKind::InvalidArgument,
                format!("Columns of another type: {}", odd.join(", ")),
            ));
        }
        // An index that only these rows have.
        for (place, field) in sent.fields().iter().enumerate() {
            if declared.fields().find(field.name()).is_none() {
                places.push(place);
                fields.push(field.as_ref().clone());
            }
        }
        let schema = Arc::new(Schema::new_with_metadata(fields, metadata(declared, &sent)));
        Ok(Fitted { inner, places, schema })
    }

    fn fit(&self, batch: &RecordBatch) -> Result<RecordBatch, ArrowError> {
        let pairs = self.places.iter().zip(self.schema.fields());
        let column = |(place, field): (&usize, &Arc<Field>)| {
            let column = batch
                .columns()
                .get(*place)
                .ok_or_else(|| ArrowError::SchemaError("too few columns".into()))?;
            converted(column, field.data_type()).map_err(|error| {
                let message = format!("Column {} does not fit {}: {error}", field.name(), field.data_type());
                Error::new(ErrorKind::InvalidArgument, message).into_arrow()
            })
        };
        let columns = pairs.map(column).collect::<Result<Vec<ArrayRef>, _>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        RecordBatch::try_new_with_options(self.schema.clone(), columns, &options)
    }
}

/// The column in that type; a value that has no place in it is an error.
///
/// # Errors
/// Those of arrow's casts.
pub fn converted(column: &ArrayRef, data_type: &DataType) -> Result<ArrayRef, ArrowError> {
    if column.data_type() == data_type {
        return Ok(column.clone());
    }
    cast_with_options(column, data_type, &CastOptions { safe: false, ..CastOptions::default() })
}

impl Iterator for Fitted {
    type Item = Result<RecordBatch, ArrowError>;

    fn next(&mut self) -> Option<Self::Item> {
        let batch = self.inner.next()?;
        Some(batch.and_then(|batch| self.fit(&batch)))
    }
}

impl RecordBatchReader for Fitted {
    fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }
}

fn same_names(declared: &Schema, sent: &Schema) -> Result<()> {
    let absent = |of: &Schema, from: &Schema| -> Vec<String> {
        let index = pandas::index_columns(of);
        let names = of.fields().iter().map(|field| field.name().clone());
        names.filter(|name| !index.contains(name) && from.fields().find(name).is_none()).collect()
    };
    let (missing, unknown) = (absent(declared, sent), absent(sent, declared));
    let mut wrong = Vec::new();
    if !missing.is_empty() {
        wrong.push(format!("missing are {}", missing.join(", ")));
    }
    if !unknown.is_empty() {
        wrong.push(format!("the table has no {}", unknown.join(", ")));
    }
    if wrong.is_empty() {
        return Ok(());
    }
    let message = format!("The columns are not those of the table: {}", wrong.join("; "));
    Err(Error::new(ErrorKind::InvalidArgument, message))
}

/// The rows' own metadata where pandas wrote them, else the table's.
fn metadata(declared: &Schema, sent: &Schema) -> arrow::datatypes::Metadata {
    let from = if sent.metadata().contains_key("pandas") { sent } else { declared };
    from.metadata().clone()
}

/// The type to keep a column in: the table's, where the values sent are of the same kind. Where the table's column was
/// created without a value its type says nothing, and a column of nothing fits any.
fn fitting(wanted: &DataType, got: &DataType) -> Option<DataType> {
    match (wanted, got) {
        (wanted, got) if wanted == got => Some(wanted.clone()),
        (DataType::Null, got) => Some(got.clone()),
        (wanted, DataType::Null) => Some(wanted.clone()),
        (wanted, got) => {
            let fits = kind(wanted) == kind(got) && arrow::compute::can_cast_types(got, wanted);
            fits.then(|| wanted.clone())
        }
    }
}

#[derive(PartialEq)]
enum Kind {
    Bool,
    Number,
    Text,
    Bytes,
    Moment { zoned: bool },
    TimeOfDay,
    Span,
    List,
    Other,
}

fn kind(data_type: &DataType) -> Kind {
    match data_type {
        DataType::Boolean => Kind::Bool,
        other if other.is_numeric() => Kind::Number,
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => Kind::Text,
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView | DataType::FixedSizeBinary(_) => {
            Kind::Bytes
        }
        DataType::Date32 | DataType::Date64 => Kind::Moment { zoned: false },
        DataType::Timestamp(_, zone) => Kind::Moment { zoned: zone.is_some() },
        DataType::Time32(_) | DataType::Time64(_) => Kind::TimeOfDay,
        DataType::Duration(_) | DataType::Interval(_) => Kind::Span,
        DataType::Dictionary(_, values) => kind(values),
        DataType::List(_) | DataType::LargeList(_) | DataType::FixedSizeList(..) => Kind::List,
        _ => Kind::Other,
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::{Float64Array, Int64Array, RecordBatchIterator, StringArray};
    use tiled_plugin_api::author::schema_uri;

    use super::*;

    fn fitted(declared: &Schema, columns: Vec<(&str, ArrayRef)>) -> Result<RecordBatch> {
        let batch = RecordBatch::try_from_iter(columns).unwrap();
        let reader = RecordBatchIterator::new(vec![Ok(batch.clone())], batch.schema());
        Fitted::new(Box::new(reader), declared)?.next().unwrap().map_err(Error::from_arrow)
    }

    fn declared() -> Schema {
        Schema::new(vec![
            Field::new("n", DataType::Int32, true),
            Field::new("w", DataType::LargeUtf8, true),
            Field::new("any", DataType::Null, true),
        ])
    }

    fn numbers(values: Vec<Option<f64>>) -> ArrayRef {
        Arc::new(Float64Array::from(values))
    }

    fn words() -> ArrayRef {
        Arc::new(StringArray::from(vec![Some("a"), None]))
    }

    #[test]
    fn a_schema_survives_its_uri() {
        let uri = schema_uri(&declared()).unwrap();
        assert_eq!(*decode_schema(&uri).unwrap(), declared());
        for wrong in ["", "data:x;base64,", "data:x;base64,AAAA", "data:x;base64,%%", "x,AAAA"] {
            assert_eq!(decode_schema(wrong).unwrap_err().kind, ErrorKind::InvalidArgument, "{wrong}");
        }
    }

    #[test]
    fn columns_come_in_the_tables_order_and_types() {
        let any: ArrayRef = Arc::new(Int64Array::from(vec![1, 2]));
        let columns = vec![("any", any), ("w", words()), ("n", numbers(vec![Some(1.0), None]))];
        let batch = fitted(&declared(), columns).unwrap();
        let types: Vec<DataType> = batch.columns().iter().map(|column| column.data_type().clone()).collect();
        assert_eq!(types, [DataType::Int32, DataType::LargeUtf8, DataType::Int64]);
    }

    #[test]
    fn what_does_not_fit_is_named() {
        let message = |columns| fitted(&declared(), columns).unwrap_err().message;
        let any = || numbers(vec![None, None]);
        let halves = numbers(vec![Some(1e10), None]);
        assert!(message(vec![("n", halves), ("w", words()), ("any", any())]).contains("Column n"));
        let text = message(vec![("n", words()), ("w", words()), ("any", any())]);
        assert!(text.contains("n is Utf8 where the table has Int32"), "{text}");
        let text = message(vec![("n", any()), ("x", words()), ("any", any())]);
        assert!(text.contains("missing are w; the table has no x"), "{text}");
    }
}
