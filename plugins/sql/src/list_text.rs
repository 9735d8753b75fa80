//! Lists as text, for databases without lists: JSON as Python's `json` reads and writes it, with `NaN` and `Infinity`.

use std::sync::Arc;

use arrow::{
    array::{
        Array, ArrayRef, AsArray, BooleanBuilder, GenericListArray, LargeListArray, ListArray,
        PrimitiveBuilder, StringArray, StringBuilder,
    },
    buffer::{NullBuffer, OffsetBuffer},
    compute::{cast, kernels::cast_utils::Parser},
    datatypes::{ArrowPrimitiveType, DataType, Field, Float32Type, Float64Type, Int64Type, UInt64Type},
    util::display::{ArrayFormatter, FormatOptions},
};
use tiled_plugin_api::author::{Error, ErrorKind, Result};

/// Deeper lists are refused.
const MAX_DEPTH: usize = 16;

/// Whether lists of such items can be kept: numbers, booleans, text, and lists of them.
pub fn can(item: &DataType) -> bool {
    depth_of(item, 0).is_some()
}

fn depth_of(item: &DataType, depth: usize) -> Option<usize> {
    use DataType as T;
    match item {
        T::List(field) | T::LargeList(field) if depth < MAX_DEPTH => depth_of(field.data_type(), depth + 1),
        T::Boolean | T::Utf8 | T::LargeUtf8 => Some(depth),
        kind if kind.is_integer() || matches!(kind, T::Float32 | T::Float64) => Some(depth),
        _ => None,
    }
}

/// Each list as text.
///
/// # Errors
/// `InvalidArgument` for lists that [`can`] does not name.
pub fn write(array: &ArrayRef) -> Result<StringArray> {
    let mut out = StringBuilder::new();
    let mut text = String::new();
    let cell = cell(array)?;
    for row in 0..array.len() {
        if array.is_null(row) {
            out.append_null();
        } else {
            text.clear();
            cell(row, &mut text);
            out.append_value(&text);
        }
    }
    Ok(out.finish())
}

type Cell<'a> = Box<dyn Fn(usize, &mut String) + 'a>;

/// Writes one value of an array.
fn cell(array: &ArrayRef) -> Result<Cell<'static>> {
    use DataType as T;
    let null = |array: &ArrayRef, row: usize, out: &mut String| {
        let missing = array.is_null(row);
        if missing {
            out.push_str("null");
        }
        missing
    };
    let array = match array.data_type() {
        T::FixedSizeList(field, _) => cast(array, &T::List(field.clone())).map_err(unfit)?,
        T::LargeUtf8 => cast(array, &T::Utf8).map_err(unfit)?,
        _ => array.clone(),
    };
    Ok(match array.data_type() {
        T::List(_) => list_cell::<i32>(array),
        T::LargeList(_) => list_cell::<i64>(array),
        T::Utf8 => Box::new(move |row, out| {
            if !null(&array, row, out) {
                let text = array.as_string::<i32>().value(row);
                out.push_str(&serde_json::Value::from(text).to_string());
            }
        }),
        T::Float32 => float_cell::<Float32Type>(array),
        T::Float64 => float_cell::<Float64Type>(array),
        T::Boolean => Box::new(move |row, out| {
            if !null(&array, row, out) {
                out.push_str(if array.as_boolean().value(row) { "true" } else { "false" });
            }
        }),
        kind if kind.is_integer() => Box::new(move |row, out| {
            if !null(&array, row, out)
                && let Ok(format) = ArrayFormatter::try_new(&array, &FormatOptions::default())
            {
                out.push_str(&format.value(row).to_string());
            }
        }),
        kind => return Err(unfit(format!("lists of {kind}"))),
    })
}

fn list_cell<O: arrow::array::OffsetSizeTrait>(array: ArrayRef) -> Cell<'static> {
    let inner = cell(array.as_list::<O>().values());
    Box::new(move |row, out| {
        if array.is_null(row) {
            return out.push_str("null");
        }
        let offsets = array.as_list::<O>().offsets();
        out.push('[');
        for at in offsets[row].as_usize()..offsets[row + 1].as_usize() {
            if at > offsets[row].as_usize() {
                out.push_str(", ");
            }
            if let Ok(inner) = &inner {
                inner(at, out);
            }
        }
        out.push(']');
    })
}

fn float_cell<T: ArrowPrimitiveType>(array: ArrayRef) -> Cell<'static>
where
    T::Native: std::fmt::Debug + Into<f64>,
{
    Box::new(move |row, out| {
        if array.is_null(row) {
            return out.push_str("null");
        }
        let value = array.as_primitive::<T>().value(row);
        let wide: f64 = value.into();
        match () {
            () if wide.is_nan() => out.push_str("NaN"),
            () if wide.is_infinite() => out.push_str(if wide > 0.0 { "Infinity" } else { "-Infinity" }),
            // The shortest text that is this value again, in its own width.
            () => out.push_str(&format!("{value:?}")),
        }
    })
}

/// The lists of such text.
///
/// # Errors
/// `InvalidData` for text that is no list of that type.
pub fn read(texts: &StringArray, to: &DataType) -> Result<ArrayRef> {
    let mut builder = Builder::of(to)?;
    for row in 0..texts.len() {
        if texts.is_null(row) {
            builder.null();
            continue;
        }
        let mut rest = texts.value(row);
        builder.value(&mut rest)?;
        if !rest.trim_start().is_empty() {
            return Err(broken(rest));
        }
    }
    let made = builder.finish()?;
    cast(&made, to).map_err(unfit)
}

/// Collects values of one type.
enum Builder {
    List { field: Arc<Field>, ends: Vec<i64>, valid: Vec<bool>, items: Box<Builder> },
    Text(StringBuilder),
    Bool(BooleanBuilder),
    Long(PrimitiveBuilder<Int64Type>),
    Unsigned(PrimitiveBuilder<UInt64Type>),
    Single(PrimitiveBuilder<Float32Type>),
    Double(PrimitiveBuilder<Float64Type>),
}

impl Builder {
    fn of(to: &DataType) -> Result<Self> {
        use DataType as T;
        Ok(match to {
            T::List(field) | T::LargeList(field) | T::FixedSizeList(field, _) => {
                let items = Box::new(Builder::of(field.data_type())?);
                Builder::List { field: field.clone(), ends: vec![0], valid: vec![], items }
            }
            T::Utf8 | T::LargeUtf8 => Builder::Text(StringBuilder::new()),
            T::Boolean => Builder::Bool(BooleanBuilder::new()),
            T::UInt64 => Builder::Unsigned(PrimitiveBuilder::new()),
            kind if kind.is_integer() => Builder::Long(PrimitiveBuilder::new()),
            T::Float32 => Builder::Single(PrimitiveBuilder::new()),
            T::Float64 => Builder::Double(PrimitiveBuilder::new()),
            kind => return Err(unfit(format!("lists of {kind}"))),
        })
    }

    fn len(&self) -> usize {
        use arrow::array::ArrayBuilder;
        match self {
            Builder::List { valid, .. } => valid.len(),
            Builder::Text(builder) => builder.len(),
            Builder::Bool(builder) => builder.len(),
            Builder::Long(builder) => builder.len(),
            Builder::Unsigned(builder) => builder.len(),
            Builder::Single(builder) => builder.len(),
            Builder::Double(builder) => builder.len(),
        }
    }

    fn null(&mut self) {
        match self {
            Builder::List { ends, valid, items, .. } => {
                ends.push(items.len() as i64);
                valid.push(false);
            }
            Builder::Text(builder) => builder.append_null(),
            Builder::Bool(builder) => builder.append_null(),
            Builder::Long(builder) => builder.append_null(),
            Builder::Unsigned(builder) => builder.append_null(),
            Builder::Single(builder) => builder.append_null(),
            Builder::Double(builder) => builder.append_null(),
        }
    }

    /// Reads one value off the beginning of `rest`.
    fn value(&mut self, rest: &mut &str) -> Result<()> {
        *rest = rest.trim_start();
        if let Some(after) = rest.strip_prefix("null") {
            *rest = after;
            self.null();
            return Ok(());
        }
        if let Builder::List { ends, valid, items, .. } = self {
            *rest = rest.strip_prefix('[').ok_or_else(|| broken(rest))?.trim_start();
            while !rest.starts_with(']') {
                items.value(rest)?;
                *rest = rest.trim_start();
                match rest.strip_prefix(',') {
                    Some(after) => *rest = after,
                    None if rest.starts_with(']') => {}
                    None => return Err(broken(rest)),
                }
            }
            *rest = &rest[1..];
            ends.push(items.len() as i64);
            valid.push(true);
            return Ok(());
        }
        if let Builder::Text(builder) = self {
            let mut texts = serde_json::Deserializer::from_str(rest).into_iter::<String>();
            let text = texts.next().and_then(Result::ok).ok_or_else(|| broken(rest))?;
            *rest = &rest[texts.byte_offset()..];
            builder.append_value(text);
            return Ok(());
        }
        let end = rest.find([',', ']', ' ', '\n']).unwrap_or(rest.len());
        let (word, after) = rest.split_at(end);
        self.word(word)?;
        *rest = after;
        Ok(())
    }

    fn word(&mut self, word: &str) -> Result<()> {
        let float = |word: &str| match word {
            "Infinity" => Some(f64::INFINITY),
            "-Infinity" => Some(f64::NEG_INFINITY),
            word => Float64Type::parse(word),
        };
        let wrong = || broken(word);
        match self {
            Builder::Bool(builder) => builder.append_value(match word {
                "true" => true,
                "false" => false,
                _ => return Err(wrong()),
            }),
            Builder::Long(builder) => builder.append_value(Int64Type::parse(word).ok_or_else(wrong)?),
            Builder::Unsigned(builder) => builder.append_value(UInt64Type::parse(word).ok_or_else(wrong)?),
            Builder::Single(builder) => {
                // Read in its own width: twice rounded is not the same.
                let value = Float32Type::parse(word).or_else(|| float(word).map(|value| value as f32));
                builder.append_value(value.ok_or_else(wrong)?);
            }
            Builder::Double(builder) => builder.append_value(float(word).ok_or_else(wrong)?),
            Builder::List { .. } | Builder::Text(_) => return Err(wrong()),
        }
        Ok(())
    }

    fn finish(self) -> Result<ArrayRef> {
        Ok(match self {
            Builder::List { field, ends, valid, items } => {
                let values = cast(&items.finish()?, field.data_type()).map_err(unfit)?;
                let nulls = Some(NullBuffer::from(valid)).filter(|nulls| nulls.null_count() > 0);
                let lists: LargeListArray =
                    GenericListArray::try_new(field.clone(), OffsetBuffer::new(ends.into()), values, nulls)
                        .map_err(unfit)?;
                let lists: ArrayRef = Arc::new(lists);
                let lists = cast(&lists, &DataType::List(field)).map_err(unfit)?;
                debug_assert!(lists.as_any().is::<ListArray>());
                lists
            }
            Builder::Text(mut builder) => Arc::new(builder.finish()),
            Builder::Bool(mut builder) => Arc::new(builder.finish()),
            Builder::Long(mut builder) => Arc::new(builder.finish()),
            Builder::Unsigned(mut builder) => Arc::new(builder.finish()),
            Builder::Single(mut builder) => Arc::new(builder.finish()),
            Builder::Double(mut builder) => Arc::new(builder.finish()),
        })
    }
}

fn broken(rest: &str) -> Error {
    let shown: String = rest.chars().take(40).collect();
    Error::invalid_data(format!("A cell is no list of its column's type: {shown:?}"))
}

fn unfit(error: impl std::fmt::Display) -> Error {
    Error::new(ErrorKind::InvalidArgument, error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round_trip(to: &DataType, texts: Vec<Option<&str>>) -> Vec<Option<String>> {
        let texts = StringArray::from(texts);
        let lists = read(&texts, to).unwrap();
        assert_eq!(lists.data_type(), to);
        let again = write(&lists).unwrap();
        assert_eq!(&read(&again, to).unwrap().to_data(), &lists.to_data());
        again.iter().map(|text| text.map(str::to_owned)).collect()
    }

    fn list(item: DataType) -> DataType {
        DataType::List(Arc::new(Field::new("item", item, true)))
    }

    #[test]
    fn lists_are_written_as_python_writes_them() {
        let texts = vec![Some("[1.5, NaN,-Infinity, 1e300,null]"), None, Some(" [ ] ")];
        let expected = [Some("[1.5, NaN, -Infinity, 1e300, null]"), None, Some("[]")];
        assert_eq!(round_trip(&list(DataType::Float64), texts), expected.map(|t| t.map(str::to_owned)));
        let texts = vec![Some("[[1,2],null,[]]"), Some("[]")];
        assert_eq!(round_trip(&list(list(DataType::UInt8)), texts)[0].as_deref(), Some("[[1, 2], null, []]"));
        let texts = vec![Some(r#"["a\"], é", "", null]"#)];
        assert_eq!(round_trip(&list(DataType::Utf8), texts)[0].as_deref(), Some(r#"["a\"], é", "", null]"#));
        let texts = vec![Some("[18446744073709551615]")];
        assert_eq!(round_trip(&list(DataType::UInt64), texts)[0].as_deref(), Some("[18446744073709551615]"));
    }

    #[test]
    fn text_that_is_no_list_is_refused() {
        for text in ["", "[", "[1", "[1 2]", "[1]]", "1", "[x]", "[1,,2]", "[[1]]", "[1.5]"] {
            let texts = StringArray::from(vec![text]);
            assert!(read(&texts, &list(DataType::Int64)).is_err(), "{text}");
        }
    }
}
