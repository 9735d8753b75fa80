//! pandas' metadata in an Arrow schema: which columns are its index.

use arrow::datatypes::{DataType, Schema};
use serde_json::{Value, json};

/// Names of the columns that are the index of the data frame.
pub fn index_columns(schema: &Schema) -> Vec<String> {
    let pandas = schema.metadata().get("pandas").and_then(|text| serde_json::from_str::<Value>(text).ok());
    let listed = pandas.as_ref().and_then(|pandas| pandas.get("index_columns")?.as_array());
    let names = listed.into_iter().flatten().filter_map(|name| name.as_str().map(str::to_owned));
    names.filter(|name| schema.field_with_name(name).is_ok()).collect()
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
