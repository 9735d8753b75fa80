//! pandas' metadata in an Arrow schema: which columns are its index.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef, Schema, SchemaRef};
use serde_json::{Value, json};

/// Names of the columns that are the index of the data frame.
pub fn index_columns(schema: &Schema) -> Vec<String> {
    let pandas = schema.metadata().get("pandas").and_then(|text| serde_json::from_str::<Value>(text).ok());
    let listed = pandas.as_ref().and_then(|pandas| pandas.get("index_columns")?.as_array());
    let names = listed.into_iter().flatten().filter_map(|name| name.as_str().map(str::to_owned));
    names.filter(|name| schema.field_with_name(name).is_ok()).collect()
}

/// Start and step of the index where pandas keeps none as a column: a range.
pub fn range_index(schema: &Schema) -> Option<(i64, i64)> {
    let pandas: Value = serde_json::from_str(schema.metadata().get("pandas")?).ok()?;
    let range = pandas.get("index_columns")?.as_array()?.iter().find(|index| index["kind"] == "range")?;
    Some((range["start"].as_i64()?, range["step"].as_i64()?))
}

/// What pandas says of a schema, or that it says nothing.
fn metadata_of(schema: &Schema) -> Value {
    let known = schema.metadata().get("pandas").and_then(|text| serde_json::from_str(text).ok());
    known.unwrap_or_else(|| {
        json!({"index_columns": [], "column_indexes": [], "columns": [], "attributes": {},
            "creator": {"library": "tiled-host", "version": env!("CARGO_PKG_VERSION")}, "pandas_version": "2.3.3"})
    })
}

/// The schema with a last column for an index that counts the rows; `None` where it has a column of an index.
pub fn with_index(schema: &Schema) -> Option<SchemaRef> {
    if !index_columns(schema).is_empty() {
        return None;
    }
    let mut pandas = metadata_of(schema);
    let range = pandas["index_columns"].as_array()?.iter().find(|index| index["kind"] == "range");
    let given = range.and_then(|range| range["name"].as_str()).map(str::to_owned);
    let name = given.clone().unwrap_or_else(|| "__index_level_0__".into());
    if schema.field_with_name(&name).is_ok() {
        return None;
    }
    pandas["index_columns"] = json!([name]);
    pandas.get_mut("columns")?.as_array_mut()?.push(json!({"name": given, "field_name": name,
        "pandas_type": "int64", "numpy_type": "int64", "metadata": null}));
    let fields = schema.fields().iter().cloned();
    let index = Arc::new(Field::new(name, DataType::Int64, true));
    let mut metadata = schema.metadata().clone();
    metadata.insert("pandas", pandas.to_string());
    Some(Arc::new(Schema::new_with_metadata(fields.chain([index]).collect::<Vec<_>>(), metadata)))
}

/// The schema with a word to pandas that columns of bytes stay bytes. Without it Tiled's client, which reads through
/// dask, makes text of them.
pub fn with_bytes_kept(schema: SchemaRef) -> SchemaRef {
    let is_bytes = |field: &&FieldRef| matches!(field.data_type(), DataType::Binary | DataType::LargeBinary);
    if !schema.fields().iter().any(|field| is_bytes(&field)) {
        return schema;
    }
    let mut pandas = metadata_of(&schema);
    let Some(columns) = pandas.get_mut("columns").and_then(Value::as_array_mut) else { return schema };
    for field in schema.fields().iter().filter(is_bytes) {
        let wide = matches!(field.data_type(), DataType::LargeBinary);
        let kept = if wide { "large_binary[pyarrow]" } else { "binary[pyarrow]" };
        match columns.iter_mut().find(|column| column["field_name"] == field.name().as_str()) {
            Some(column) => column["numpy_type"] = kept.into(),
            None => columns
                .push(json!({"name": field.name(), "field_name": field.name(), "pandas_type": "bytes",
                "numpy_type": kept, "metadata": null})),
        }
    }
    let mut metadata = schema.metadata().clone();
    metadata.insert("pandas", pandas.to_string());
    Arc::new(Schema::new_with_metadata(schema.fields().clone(), metadata))
}

/// The value of the schema's `pandas` key that makes `index` the index columns.
pub fn metadata(schema: &Schema, index: &[String]) -> String {
    let column = |name: &str, data_type: &DataType| {
        let (pandas, numpy) = type_names(data_type);
        json!({"name": name, "field_name": name, "pandas_type": pandas, "numpy_type": numpy, "metadata": null})
    };
    let columns: Vec<Value> = schema.fields().iter().map(|f| column(f.name(), f.data_type())).collect();
    let labels = json!({"name": null, "field_name": null, "pandas_type": "unicode", "numpy_type": "object",
        "metadata": {"encoding": "UTF-8"}});
    json!({"index_columns": index, "column_indexes": [labels], "columns": columns, "attributes": {},
        "creator": {"library": "tiled-host", "version": env!("CARGO_PKG_VERSION")}, "pandas_version": "2.3.3"})
    .to_string()
}

/// pandas' and NumPy's names of a column's type.
fn type_names(data_type: &DataType) -> (String, String) {
    let both = |name: &str| (name.to_owned(), name.to_owned());
    match data_type {
        DataType::Boolean => both("bool"),
        DataType::Utf8 | DataType::LargeUtf8 => ("unicode".into(), "object".into()),
        DataType::Binary | DataType::LargeBinary => ("bytes".into(), "object".into()),
        DataType::Timestamp(unit, _) => ("datetime".into(), format!("datetime64[{}]", short(*unit))),
        DataType::Duration(unit) => ("timedelta".into(), format!("timedelta64[{}]", short(*unit))),
        other if other.is_numeric() => both(&format!("{other:?}").to_lowercase()),
        _ => ("object".into(), "object".into()),
    }
}

fn short(unit: arrow::datatypes::TimeUnit) -> &'static str {
    use arrow::datatypes::TimeUnit;
    match unit {
        TimeUnit::Second => "s",
        TimeUnit::Millisecond => "ms",
        TimeUnit::Microsecond => "us",
        TimeUnit::Nanosecond => "ns",
    }
}
