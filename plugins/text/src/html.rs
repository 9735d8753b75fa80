//! Arrays and tables as HTML tables.

use arrow::datatypes::DataType;
use tiled_plugin_api::author::{Context, EncodeRequest, Error, ErrorKind, Payload, Result, Serializer, Sink};
use tiled_tabular::{
    element::{Style, element},
    plain::cells,
    table_rows,
};

use crate::array::{PIECE_BYTES, array, for_each_element};

/// `text/html` of an array of up to two axes.
pub struct ArrayHtml;

/// `text/html` of a table, laid out as pandas' `to_html`.
pub struct TableHtml;

impl Serializer for ArrayHtml {
    fn encode(&self, cx: &Context, request: &EncodeRequest, payload: Payload, sink: &mut Sink) -> Result<()> {
        let (structure, slabs) = array(request, payload)?;
        if structure.shape.len() > 2 {
            return Err(unfit(&structure.shape, request.essence()));
        }
        let write = element(&structure.data_type, Style::Plain)?;
        let width = structure.shape.get(1).copied().unwrap_or(1);
        let (mut at, mut cell) = (0, Vec::new());
        sink.put(b"<html><body><table border=\"1\">\n")?;
        let row = |item: &[u8], out: &mut Vec<u8>| {
            if at == 0 {
                out.extend_from_slice(b"<tr>");
            }
            cell.clear();
            write(item, &mut cell);
            push_cell(out, "td", &cell);
            at += 1;
            if at == width {
                out.extend_from_slice(b"</tr>\n");
                at = 0;
            }
        };
        for_each_element(cx, &structure, slabs, row, sink)?;
        sink.put(b"</table></body></html>")
    }
}

/// Tiled's answer to an array of too many axes.
fn unfit(shape: &[u64], media_type: &str) -> Error {
    let lengths: Vec<String> = shape.iter().map(u64::to_string).collect();
    let message = format!(
        "The shape of this data ({}) is incompatible with the requested format ({media_type}). \
         Slice it or choose a different format.",
        lengths.join(", ")
    );
    Error::new(ErrorKind::NotAcceptable, message)
}

impl Serializer for TableHtml {
    fn encode(&self, cx: &Context, request: &EncodeRequest, payload: Payload, sink: &mut Sink) -> Result<()> {
        let mut rows = table_rows(cx, request, payload)?.without_index()?;
        let mut out =
            b"<table border=\"1\" class=\"dataframe\">\n  <thead>\n    <tr style=\"text-align: right;\">\n"
                .to_vec();
        for field in rows.schema.fields() {
            out.extend_from_slice(b"      ");
            push_cell(&mut out, "th", field.name().as_bytes());
            out.push(b'\n');
        }
        out.extend_from_slice(b"    </tr>\n  </thead>\n  <tbody>\n");
        let mut text = Vec::new();
        while let Some(batch) = rows.next()? {
            let cells = batch.columns().iter().map(|column| cells(column)).collect::<Result<Vec<_>>>()?;
            for row in 0..batch.num_rows() {
                out.extend_from_slice(b"    <tr>\n");
                for (cell, column) in cells.iter().zip(batch.columns()) {
                    text.clear();
                    cell(row, &mut text);
                    if text.is_empty() && (column.is_null(row) || column.data_type().is_floating()) {
                        text.extend_from_slice(missing(column.data_type()));
                    }
                    out.extend_from_slice(b"      ");
                    push_cell(&mut out, "td", &text);
                    out.push(b'\n');
                }
                out.extend_from_slice(b"    </tr>\n");
                if out.len() >= PIECE_BYTES {
                    sink.put(&out)?;
                    out.clear();
                }
            }
        }
        out.extend_from_slice(b"  </tbody>\n</table>");
        sink.put(&out)
    }
}

/// What pandas writes where there is no value.
fn missing(data_type: &DataType) -> &'static [u8] {
    match data_type {
        DataType::Timestamp(..) | DataType::Duration(_) => b"NaT",
        _ => b"NaN",
    }
}

fn push_cell(out: &mut Vec<u8>, tag: &str, text: &[u8]) {
    out.extend_from_slice(format!("<{tag}>").as_bytes());
    for byte in text {
        match byte {
            b'<' => out.extend_from_slice(b"&lt;"),
            b'>' => out.extend_from_slice(b"&gt;"),
            b'&' => out.extend_from_slice(b"&amp;"),
            _ => out.push(*byte),
        }
    }
    out.extend_from_slice(format!("</{tag}>").as_bytes());
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, Float64Array, RecordBatch, StringArray};
    use serde_json::json;
    use tiled_plugin_api::{
        author::one_batch,
        model::{ArrayStructure, StructureFamily},
        testing::{encode, one_slab},
    };

    use super::*;

    fn request(family: StructureFamily, structure: serde_json::Value) -> EncodeRequest {
        EncodeRequest {
            media_type: "text/html".into(),
            structure_family: family,
            structure,
            metadata: json!({}),
            specs: vec![],
            key: String::new(),
            fields: None,
        }
    }

    #[test]
    fn text_is_escaped() {
        let words: ArrayRef = Arc::new(StringArray::from(vec!["<script>", "a&b"]));
        let numbers: ArrayRef = Arc::new(Float64Array::from(vec![Some(1.5), None]));
        let batch = RecordBatch::try_from_iter([("w<", words), ("n", numbers)]).unwrap();
        let bytes =
            encode(&TableHtml, &request(StructureFamily::Table, json!({})), Payload::Table(one_batch(batch)));
        let text = String::from_utf8(bytes.unwrap()).unwrap();
        for part in ["<th>w&lt;</th>", "<td>&lt;script&gt;</td>", "<td>a&amp;b</td>", "<td>NaN</td>"] {
            assert!(text.contains(part), "{part} in {text}");
        }
    }

    #[test]
    fn arrays_of_three_axes_are_refused() {
        let structure = |shape: &[u64]| {
            let structure = ArrayStructure::single_chunk(
                tiled_plugin_api::model::DataType::from_numpy_str("|u1").unwrap(),
                shape.to_vec(),
            );
            request(StructureFamily::Array, serde_json::to_value(structure).unwrap())
        };
        let text = encode(&ArrayHtml, &structure(&[2, 2]), one_slab(2, vec![1, 2, 3, 4])).unwrap();
        assert!(String::from_utf8(text).unwrap().contains("<tr><td>1</td><td>2</td></tr>\n<tr><td>3</td>"));
        let error = encode(&ArrayHtml, &structure(&[1, 2, 2]), one_slab(1, vec![1, 2, 3, 4])).unwrap_err();
        assert_eq!(error.kind, ErrorKind::NotAcceptable);
    }
}
