//! Arrays and tables as CSV, as NumPy's `savetxt` and pandas' `to_csv` write them.

use std::ops::Range;

use arrow::{
    array::{ArrayRef, RecordBatch},
    datatypes::DataType as Arrow,
};
use tiled_plugin_api::{
    author::{Context, EncodeRequest, Error, ErrorKind, Payload, Result, Serializer, Sink},
    model::{ArrayStructure, DataType},
};
use tiled_tabular::{
    Rows,
    element::{Element, Style, element, member},
    pieces::pieces,
    plain::cells,
    runs::{Run, run},
    table_rows,
};

/// CSV of an array of up to two axes: a line per row.
pub struct ArrayCsv;

/// CSV of a table, without its index; `header=absent` as a parameter of the media type leaves out the names.
pub struct TableCsv;

impl Serializer for ArrayCsv {
    fn encode(&self, cx: &Context, request: &EncodeRequest, payload: Payload, sink: &mut Sink) -> Result<()> {
        let structure: ArrayStructure = request.structure()?;
        let Payload::Array(mut slabs) = payload else {
            return Err(Error::internal("an array serializer was given no array"));
        };
        if structure.shape.len() > 2 {
            let lengths: Vec<String> = structure.shape.iter().map(u64::to_string).collect();
            let message = format!(
                "The shape of this data ({}) is incompatible with the requested format ({}). \
                 Slice it or choose a different format.",
                lengths.join(", "),
                request.media_type
            );
            return Err(Error::new(ErrorKind::NotAcceptable, message));
        }
        let lines = Lines::new(&structure)?;
        let mut left: u64 = structure.shape.iter().product();
        let mut at = 0;
        while let Some(slab) = slabs.next()? {
            let items = slab.bytes.len().checked_div(lines.size).map_or(left, |items| items as u64);
            left =
                left.checked_sub(items).ok_or_else(|| Error::internal("more elements than the shape has"))?;
            let items = usize::try_from(items).map_err(Error::internal)?;
            let write = |range: Range<usize>, out: &mut Vec<u8>| {
                let bytes = slab.bytes.get(range.start * lines.size..range.end * lines.size);
                lines.write(at + range.start, range.len(), bytes.unwrap_or_default(), out);
                Ok(())
            };
            pieces(cx, items, PIECE_ELEMENTS, &write, sink)?;
            at += items;
        }
        if left > 0 {
            return Err(Error::invalid_data(format!("{left} elements of the array are missing")));
        }
        Ok(())
    }
}

/// Elements of an array whose text is made in one go.
const PIECE_ELEMENTS: usize = 16 << 10;

/// How the elements of an array become lines.
struct Lines {
    /// Elements of a line.
    width: usize,
    /// Bytes of an element.
    size: usize,
    how: How,
}

enum How {
    /// Numbers and the like, many at a time.
    Runs(Run),
    /// Records, and elements of no bytes.
    Each(Element),
}

impl Lines {
    fn new(structure: &ArrayStructure) -> Result<Self> {
        let size = usize::try_from(structure.data_type.itemsize()).map_err(Error::internal)?;
        let width = structure.shape.get(1).copied().unwrap_or(1).max(1);
        let how = match &structure.data_type {
            DataType::Builtin { .. } if size > 0 => How::Runs(run(&structure.data_type, Style::Plain)?),
            _ => How::Each(line_element(structure)?),
        };
        Ok(Lines { width: usize::try_from(width).map_err(Error::internal)?, size, how })
    }

    /// The text of `count` elements from the one of number `at` on, with what follows each.
    fn write(&self, mut at: usize, count: usize, bytes: &[u8], out: &mut Vec<u8>) {
        let after = |at: usize| if at.is_multiple_of(self.width) { b'\n' } else { b',' };
        let run = match &self.how {
            How::Runs(run) => run,
            How::Each(write) => {
                for place in 0..count {
                    write(bytes.get(place * self.size..(place + 1) * self.size).unwrap_or_default(), out);
                    out.push(after(at + place + 1));
                }
                return;
            }
        };
        if self.width == 1 && count > 0 {
            run(bytes, b'\n', out);
            return out.push(b'\n');
        }
        let (end, mut rest) = (at + count, bytes);
        while at < end {
            let now = (self.width - at % self.width).min(end - at);
            let (these, later) = rest.split_at((now * self.size).min(rest.len()));
            run(these, b',', out);
            (at, rest) = (at + now, later);
            out.push(after(at));
        }
    }
}

/// Records of a list of records are the columns of its lines.
fn line_element(structure: &ArrayStructure) -> Result<Element> {
    let DataType::Struct { fields, .. } = &structure.data_type else {
        return element(&structure.data_type, Style::Plain);
    };
    if structure.shape.len() > 1 {
        return element(&structure.data_type, Style::Repr);
    }
    let mut members = Vec::with_capacity(fields.len());
    let mut at = 0;
    for field in fields {
        let size = usize::try_from(field.nbytes()).map_err(Error::internal)?;
        members.push((at..at + size, member(field, Style::Plain)?));
        at += size;
    }
    Ok(Box::new(move |bytes, out| {
        for (place, (range, write)) in members.iter().enumerate() {
            if place > 0 {
                out.push(b',');
            }
            write(bytes.get(range.clone()).unwrap_or_default(), out);
        }
    }))
}

impl Serializer for TableCsv {
    fn encode(&self, cx: &Context, request: &EncodeRequest, payload: Payload, sink: &mut Sink) -> Result<()> {
        let mut rows = table_rows(cx, request, payload)?.without_index()?;
        if request.parameter("header") != Some("absent") {
            write_names(&rows, b',', &mut |bytes: &[u8]| sink.put(bytes))?;
        }
        while let Some(batch) = rows.next()? {
            let write = |range: Range<usize>, out: &mut Vec<u8>| push_lines(&batch, range, b',', out);
            pieces(cx, batch.num_rows(), PIECE_ROWS, &write, sink)?;
        }
        Ok(())
    }
}

/// Rows whose text is made in one go.
const PIECE_ROWS: usize = 2048;

/// The names of the columns as a line.
///
/// # Errors
/// Those of `put`.
pub fn write_names(rows: &Rows, delimiter: u8, put: &mut dyn FnMut(&[u8]) -> Result<()>) -> Result<()> {
    let mut out = Vec::new();
    let names: Vec<&[u8]> = rows.schema.fields().iter().map(|field| field.name().as_bytes()).collect();
    for (place, name) in names.iter().enumerate() {
        if place > 0 {
            out.push(delimiter);
        }
        push_quoted(&mut out, name, delimiter, names.len() == 1);
    }
    out.push(b'\n');
    put(&out)
}

/// The rows as lines.
///
/// # Errors
/// Those of the rows and of `put`.
pub fn write_rows(rows: &mut Rows, delimiter: u8, put: &mut dyn FnMut(&[u8]) -> Result<()>) -> Result<()> {
    let mut out = Vec::new();
    while let Some(batch) = rows.next()? {
        for start in (0..batch.num_rows()).step_by(PIECE_ROWS) {
            out.clear();
            push_lines(&batch, start..(start + PIECE_ROWS).min(batch.num_rows()), delimiter, &mut out)?;
            put(&out)?;
        }
    }
    Ok(())
}

/// Some rows of a batch as lines.
fn push_lines(batch: &RecordBatch, range: Range<usize>, delimiter: u8, out: &mut Vec<u8>) -> Result<()> {
    let alone = batch.num_columns() == 1;
    // Numbers never need quotes; an empty line does.
    let bare = |column: &ArrayRef| {
        !alone && (column.data_type().is_numeric() || *column.data_type() == Arrow::Boolean)
    };
    let columns = batch.columns().iter().map(|column| Ok((cells(column)?, bare(column))));
    let columns = columns.collect::<Result<Vec<_>>>()?;
    let mut text = Vec::new();
    for row in range {
        for (place, (cell, bare)) in columns.iter().enumerate() {
            if place > 0 {
                out.push(delimiter);
            }
            if *bare {
                cell(row, out);
                continue;
            }
            text.clear();
            cell(row, &mut text);
            push_quoted(out, &text, delimiter, alone);
        }
        out.push(b'\n');
    }
    Ok(())
}

/// A field in quotes where it needs them: Python's `QUOTE_MINIMAL`. A line of one empty field needs them too.
fn push_quoted(out: &mut Vec<u8>, text: &[u8], delimiter: u8, alone: bool) {
    let special = |byte: &u8| *byte == delimiter || matches!(byte, b'"' | b'\n' | b'\r');
    let needed = text.iter().any(special) || (alone && text.is_empty());
    if !needed {
        out.extend_from_slice(text);
        return;
    }
    out.push(b'"');
    for byte in text {
        if *byte == b'"' {
            out.push(b'"');
        }
        out.push(*byte);
    }
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{Float64Array, StringArray};
    use serde_json::json;
    use tiled_plugin_api::{
        author::one_batch,
        model::{Field, StructureFamily},
        testing::{encode, one_slab},
    };

    use super::*;

    fn request(family: StructureFamily, structure: serde_json::Value, media_type: &str) -> EncodeRequest {
        EncodeRequest {
            media_type: media_type.into(),
            structure_family: family,
            structure,
            metadata: json!({}),
            specs: vec![],
            key: String::new(),
            fields: None,
        }
    }

    fn array(data_type: DataType, shape: &[u64], bytes: Vec<u8>) -> Result<String> {
        let structure = ArrayStructure::single_chunk(data_type, shape.to_vec());
        let request = request(StructureFamily::Array, serde_json::to_value(structure).unwrap(), "text/csv");
        let rows = shape.first().copied().unwrap_or(1);
        encode(&ArrayCsv, &request, one_slab(rows, bytes)).map(|bytes| String::from_utf8(bytes).unwrap())
    }

    fn bytes_type() -> DataType {
        DataType::from_numpy_str("|u1").unwrap()
    }

    #[test]
    fn rows_of_an_array_are_lines() {
        assert_eq!(array(bytes_type(), &[2, 2], vec![1, 2, 3, 4]).unwrap(), "1,2\n3,4\n");
        assert_eq!(array(bytes_type(), &[2], vec![1, 2]).unwrap(), "1\n2\n");
        assert_eq!(array(bytes_type(), &[], vec![7]).unwrap(), "7\n");
        let record = DataType::record(vec![
            Field::new("a", bytes_type()),
            Field::new("b", DataType::from_numpy_str("<f4").unwrap()),
        ]);
        assert_eq!(
            array(record, &[1], [vec![1], 2.5_f32.to_le_bytes().to_vec()].concat()).unwrap(),
            "1,2.5\n"
        );
    }

    #[test]
    fn three_axes_are_refused_in_tileds_words() {
        let error = array(bytes_type(), &[3, 4, 5], vec![0; 60]).unwrap_err();
        assert_eq!(error.kind, ErrorKind::NotAcceptable);
        assert_eq!(
            error.message,
            "The shape of this data (3, 4, 5) is incompatible with the requested format (text/csv). \
             Slice it or choose a different format."
        );
    }

    #[test]
    fn tables_are_quoted_where_needed() {
        let words: ArrayRef = Arc::new(StringArray::from(vec![Some("a,b"), None, Some("say \"x\"")]));
        let numbers: ArrayRef = Arc::new(Float64Array::from(vec![Some(1.0), Some(f64::NAN), None]));
        let batch = RecordBatch::try_from_iter([("w", words), ("n", numbers)]).unwrap();
        let text = |media_type: &str| {
            let request = request(StructureFamily::Table, json!({}), media_type);
            String::from_utf8(encode(&TableCsv, &request, Payload::Table(one_batch(batch.clone()))).unwrap())
                .unwrap()
        };
        assert_eq!(text("text/csv"), "w,n\n\"a,b\",1.0\n,\n\"say \"\"x\"\"\",\n");
        assert_eq!(text("text/csv;header=absent"), "\"a,b\",1.0\n,\n\"say \"\"x\"\"\",\n");
    }

    #[test]
    fn a_line_of_one_missing_value_is_not_blank() {
        let words: ArrayRef = Arc::new(StringArray::from(vec![Some("a"), None]));
        let batch = RecordBatch::try_from_iter([("w", words)]).unwrap();
        let request = request(StructureFamily::Table, json!({}), "text/csv");
        let bytes = encode(&TableCsv, &request, Payload::Table(one_batch(batch))).unwrap();
        assert_eq!(bytes, b"w\na\n\"\"\n");
    }
}
