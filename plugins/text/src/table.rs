//! Tables as JSON: an object of columns, or a sequence of row objects.

use std::{
    io::{Read, Seek, SeekFrom, Write},
    ops::Range,
};

use arrow::array::RecordBatch;
use tiled_plugin_api::author::{Context, EncodeRequest, Error, Payload, Result, Serializer, Sink};
use tiled_tabular::{
    json::{cells, push_string},
    pieces::{each, pieces},
    table_rows,
};

use crate::array::PIECE_BYTES;

/// `application/json` of a table: `{"column": [values]}`.
pub struct TableJson;

/// `application/json-seq` of a table (RFC 7464): record separator, row object, line feed.
pub struct TableJsonSequence;

/// Rows of a sequence whose text is made in one go.
const PIECE_ROWS: usize = 2048;
/// Cells of a batch that several threads are worth while for.
const MANY_CELLS: usize = 1 << 14;
/// Columns up to this many bytes of text wait in memory while rows come.
const COLUMN_BYTES: usize = 256 << 10;

impl Serializer for TableJson {
    /// Rows come batch by batch, but the document goes column by column: later columns wait in an unnamed file.
    fn encode(&self, cx: &Context, request: &EncodeRequest, payload: Payload, sink: &mut Sink) -> Result<()> {
        let mut rows = table_rows(cx, request, payload)?.without_index()?;
        let mut columns: Vec<Column> =
            rows.schema.fields().iter().map(|field| Column::new(field.name())).collect();
        let mut first = true;
        while let Some(batch) = rows.next()? {
            let write = |place: usize, out: &mut Vec<u8>| push_cells(&batch, place, first, out);
            let texts = each(columns.len(), batch.num_rows() * columns.len() > MANY_CELLS, &write)?;
            for (place, (column, text)) in columns.iter_mut().zip(texts).enumerate() {
                column.push(text, place)?;
                if place == 0 {
                    column.pass_on(sink)?;
                }
            }
            first &= batch.num_rows() == 0;
        }
        let mut end = Vec::new();
        if columns.is_empty() {
            end.push(b'{');
        }
        for (place, column) in columns.into_iter().enumerate() {
            if place > 0 {
                sink.put(b",")?;
            }
            column.finish(place == 0, sink)?;
        }
        end.push(b'}');
        sink.put(&end)
    }
}

/// The values of a column in a batch, with commas between them and before them.
fn push_cells(batch: &RecordBatch, place: usize, first: bool, out: &mut Vec<u8>) -> Result<()> {
    let cell = cells(batch.column(place))?;
    for row in 0..batch.num_rows() {
        if row > 0 || !first {
            out.push(b',');
        }
        cell(row, out);
    }
    Ok(())
}

/// One column's text so far.
struct Column {
    text: Vec<u8>,
    spilled: Option<std::fs::File>,
    begun: bool,
}

impl Column {
    fn new(name: &str) -> Self {
        let mut text = Vec::new();
        push_string(&mut text, name);
        text.extend_from_slice(b":[");
        Column { text, spilled: None, begun: false }
    }

    fn push(&mut self, text: Vec<u8>, place: usize) -> Result<()> {
        self.text.extend_from_slice(&text);
        if place > 0 && self.text.len() > COLUMN_BYTES {
            self.spill()?;
        }
        Ok(())
    }

    fn spill(&mut self) -> Result<()> {
        let file = match &mut self.spilled {
            Some(file) => file,
            none => none.insert(tempfile::tempfile().map_err(Error::internal)?),
        };
        file.write_all(&self.text).map_err(Error::internal)?;
        self.text.clear();
        Ok(())
    }

    /// The first column need not wait.
    fn pass_on(&mut self, sink: &mut Sink) -> Result<()> {
        if !self.begun {
            sink.put(b"{")?;
            self.begun = true;
        }
        sink.put(&self.text)?;
        self.text.clear();
        Ok(())
    }

    fn finish(mut self, first: bool, sink: &mut Sink) -> Result<()> {
        if first {
            self.pass_on(sink)?;
        }
        if let Some(mut file) = self.spilled {
            file.seek(SeekFrom::Start(0)).map_err(Error::internal)?;
            let mut piece = vec![0; PIECE_BYTES];
            loop {
                match file.read(&mut piece).map_err(Error::internal)? {
                    0 => break,
                    got => sink.put(piece.get(..got).unwrap_or_default())?,
                }
            }
        }
        sink.put(&self.text)?;
        sink.put(b"]")
    }
}

impl Serializer for TableJsonSequence {
    fn encode(&self, cx: &Context, request: &EncodeRequest, payload: Payload, sink: &mut Sink) -> Result<()> {
        let mut rows = table_rows(cx, request, payload)?.without_index()?;
        let names = rows.schema.fields().iter().enumerate().map(|(place, field)| {
            let mut name = if place > 0 { vec![b','] } else { vec![] };
            push_string(&mut name, field.name());
            name.push(b':');
            name
        });
        let names: Vec<Vec<u8>> = names.collect();
        while let Some(batch) = rows.next()? {
            let write = |range: Range<usize>, out: &mut Vec<u8>| {
                let cells = batch.columns().iter().map(|column| cells(column)).collect::<Result<Vec<_>>>()?;
                for row in range {
                    out.extend_from_slice(b"\x1e{");
                    for (name, cell) in names.iter().zip(&cells) {
                        out.extend_from_slice(name);
                        cell(row, out);
                    }
                    out.extend_from_slice(b"}\n");
                }
                Ok(())
            };
            pieces(cx, batch.num_rows(), PIECE_ROWS, &write, sink)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::{
        array::{ArrayRef, Float32Array, Int64Array, StringArray},
        datatypes::{DataType, Field, Schema},
    };
    use serde_json::{Value, json};
    use tiled_plugin_api::{author::TableStream, model::StructureFamily, testing::encode};

    use super::*;

    fn request() -> EncodeRequest {
        EncodeRequest {
            media_type: "application/json".into(),
            structure_family: StructureFamily::Table,
            structure: json!({}),
            metadata: json!({}),
            specs: vec![],
            key: String::new(),
            fields: None,
        }
    }

    /// Two batches of (a, b) and an index.
    fn payload() -> Payload {
        let fields = vec![
            Field::new("a", DataType::Int64, true),
            Field::new("b", DataType::Utf8, true),
            Field::new("i", DataType::Float32, true),
        ];
        let pandas = json!({"index_columns": ["i"]}).to_string();
        let schema = Arc::new(
            Schema::new(fields)
                .with_metadata(std::collections::HashMap::from([("pandas".to_owned(), pandas)])),
        );
        let batch = |numbers: Vec<Option<i64>>, words: Vec<&str>| {
            let index: ArrayRef = Arc::new(Float32Array::from(vec![0.0; words.len()]));
            let columns: Vec<ArrayRef> =
                vec![Arc::new(Int64Array::from(numbers)), Arc::new(StringArray::from(words)), index];
            RecordBatch::try_new(schema.clone(), columns).map_err(Error::from_arrow)
        };
        let batches = vec![batch(vec![Some(1), None], vec!["x", "y"]), batch(vec![Some(3)], vec!["z"])];
        Payload::Table(TableStream::from_batches(schema, batches))
    }

    fn empty() -> Payload {
        let schema = Arc::new(Schema::new(vec![Field::new("a", DataType::Int64, true)]));
        Payload::Table(TableStream::from_batches(schema, Vec::<Result<RecordBatch>>::new()))
    }

    #[test]
    fn json_is_an_object_of_columns_without_the_index() {
        let bytes = encode(&TableJson, &request(), payload()).unwrap();
        assert_eq!(String::from_utf8(bytes).unwrap(), r#"{"a":[1,null,3],"b":["x","y","z"]}"#);
        assert_eq!(encode(&TableJson, &request(), empty()).unwrap(), br#"{"a":[]}"#);
    }

    #[test]
    fn long_columns_are_whole() {
        let words: Vec<String> = (0..100_000).map(|n| format!("word {n}")).collect();
        let numbers: ArrayRef = Arc::new(Int64Array::from_iter_values(0..100_000));
        let text: ArrayRef = Arc::new(StringArray::from(words.clone()));
        let batch = RecordBatch::try_from_iter([("n", numbers), ("w", text)]).unwrap();
        let parts: Vec<Result<RecordBatch>> =
            (0..10).map(|part| Ok(batch.slice(part * 10_000, 10_000))).collect();
        let stream = TableStream::from_batches(batch.schema(), parts);
        let bytes = encode(&TableJson, &request(), Payload::Table(stream)).unwrap();
        let document: Value = serde_json::from_slice(&bytes).unwrap();
        assert_eq!(document["w"], json!(words));
        assert_eq!(document["n"][99_999], json!(99_999));
    }

    #[test]
    fn a_sequence_has_a_separator_before_each_row() {
        let bytes = encode(&TableJsonSequence, &request(), payload()).unwrap();
        let expected =
            "\u{1e}{\"a\":1,\"b\":\"x\"}\n\u{1e}{\"a\":null,\"b\":\"y\"}\n\u{1e}{\"a\":3,\"b\":\"z\"}\n";
        assert_eq!(String::from_utf8(bytes).unwrap(), expected);
        assert_eq!(encode(&TableJsonSequence, &request(), empty()).unwrap(), b"");
    }
}
