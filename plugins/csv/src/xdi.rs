//! XDI, the exchange format of X-ray absorption spectra: a commented header, then columns of numbers.

use std::sync::Arc;

use arrow::{
    array::{ArrayRef, Float64Array, RecordBatch, StringArray},
    datatypes::{Field, Schema},
};
use serde_json::{Map, Value, json};
use tiled_plugin_api::{
    author::{
        Adapter, Context, EncodeRequest, Error, ErrorKind, OpenRequest, Payload, Reader, Result, Serializer,
        Sink, Source, TableRequest, TableStream, one_batch, table_structure,
    },
    model::{Description, Spec, StructureFamily},
};
use tiled_tabular::table_rows;

use crate::serializer::write_rows;

/// Opens XDI files, and columns of numbers below a commented header that is not quite XDI.
pub struct XdiReader;

/// `application/x-xdi` of a table with the spec `xdi`.
pub struct XdiSerializer;

/// Larger files are no spectra.
const MAX_BYTES: u64 = 256 << 20;

impl Reader for XdiReader {
    fn sniff(&self, _source: &Source, head: &[u8]) -> u32 {
        if head.starts_with(b"# XDI/") { 90 } else { 0 }
    }

    fn open(&self, _cx: &Context, request: OpenRequest) -> Result<Box<dyn Adapter>> {
        let source = request.source();
        let bytes = source.read_all(MAX_BYTES)?;
        let (header, batch) = parse(&bytes).map_err(|error| error.within(source.name()))?;
        let structure = table_structure(&batch.schema(), 1)?;
        let specs = if header.is_xdi {
            vec![Spec { name: "xdi".into(), version: Some("1.0".into()) }]
        } else {
            vec![]
        };
        let description = Description::new(StructureFamily::Table, &structure)?;
        Ok(Box::new(Xdi { description: description.with_metadata(header.metadata).with_specs(specs), batch }))
    }
}

struct Xdi {
    description: Description,
    batch: RecordBatch,
}

impl Adapter for Xdi {
    fn describe(&self, path: &str) -> Result<Description> {
        if path.is_empty() {
            Ok(self.description.clone())
        } else {
            Err(Error::not_found(format!("No such entry: {path}")))
        }
    }

    fn read_table(&self, _cx: &Context, path: &str, request: &TableRequest) -> Result<TableStream> {
        self.describe(path)?;
        if request.partition.unwrap_or(0) > 0 {
            return Err(Error::new(ErrorKind::OutOfBounds, "Partition out of range"));
        }
        let Some(names) = &request.columns else { return Ok(one_batch(self.batch.clone())) };
        let schema = self.batch.schema();
        let place = |name: &String| {
            schema.index_of(name).map_err(|_| Error::not_found(format!("No such field {name}")))
        };
        let places: Vec<usize> = names.iter().map(place).collect::<Result<_>>()?;
        self.batch.project(&places).map(one_batch).map_err(Error::from_arrow)
    }
}

struct Header {
    is_xdi: bool,
    metadata: Value,
    names: Vec<(usize, String)>,
    labels: Vec<String>,
}

fn parse(bytes: &[u8]) -> Result<(Header, RecordBatch)> {
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text.into(),
        Err(_) => encoding_rs::mem::decode_latin1(bytes),
    };
    let mut comments = Vec::new();
    let mut rows: Vec<Vec<&str>> = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let trimmed = line.trim();
        if let Some(comment) = trimmed.strip_prefix('#') {
            // Behind the first row nothing is header any more.
            if rows.is_empty() {
                comments.push((line, comment));
            }
        } else if !trimmed.is_empty() {
            let row: Vec<&str> = trimmed.split_whitespace().collect();
            if let Some(first) = rows.first().filter(|first| first.len() != row.len()) {
                let (wanted, got) = (first.len(), row.len());
                return Err(Error::invalid_data(format!(
                    "line {}: {got} columns instead of {wanted}",
                    number + 1
                )));
            }
            rows.push(row);
        }
    }
    let header = header(&comments);
    let Some(width) = rows.first().map(Vec::len) else {
        return Err(Error::invalid_data("there are no columns of numbers in the file"));
    };
    let columns: Vec<ArrayRef> = (0..width).map(|place| column(&rows, place)).collect();
    let fields: Vec<Field> = (0..width)
        .zip(&columns)
        .map(|(place, column)| Field::new(header.name(place, width), column.data_type().clone(), true))
        .collect();
    let batch = RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).map_err(Error::from_arrow)?;
    Ok((header, batch))
}

impl Header {
    /// A column's label, else its `Column.n`, else its number.
    fn name(&self, place: usize, width: usize) -> String {
        if self.labels.len() == width
            && let Some(label) = self.labels.get(place)
        {
            return label.clone();
        }
        let named = self.names.iter().find(|(number, _)| *number == place + 1);
        named.map_or_else(|| format!("col{}", place + 1), |(_, name)| name.clone())
    }
}

/// Numbers where all are, else text.
fn column(rows: &[Vec<&str>], place: usize) -> ArrayRef {
    let fields = || rows.iter().map(|row| row.get(place).copied().unwrap_or_default());
    let numbers: Option<Vec<f64>> = fields().map(|field| field.parse().ok()).collect();
    match numbers {
        Some(numbers) => Arc::new(Float64Array::from(numbers)),
        None => Arc::new(StringArray::from_iter_values(fields())),
    }
}

fn is_line_of(comment: &str, sign: char) -> bool {
    let text = comment.trim();
    text.len() >= 3 && text.starts_with(&[sign; 3].iter().collect::<String>())
}

/// Version, fields and comments, as Tiled's example reader names them.
fn header(lines: &[(&str, &str)]) -> Header {
    let version = lines.first().and_then(|(_, comment)| comment.trim().strip_prefix("XDI/"));
    let (mut fields, mut names, mut comments) = (Map::new(), Vec::new(), String::new());
    let mut in_comments = false;
    for (line, comment) in lines.iter().skip(usize::from(version.is_some())) {
        if is_line_of(comment, '-') {
            break;
        }
        if is_line_of(comment, '/') {
            in_comments = true;
            continue;
        }
        let pair = comment
            .trim()
            .split_once(':')
            .and_then(|(key, value)| Some((key.split_once('.')?, value.trim())));
        let plain = |text: &str| !text.is_empty() && text.chars().all(|c| c.is_alphanumeric() || c == '_');
        match pair {
            Some(((space, tag), value)) if !in_comments && plain(space) && plain(tag) => {
                if let (true, Ok(number), Some(name)) =
                    (space == "Column", tag.parse(), value.split_whitespace().next())
                {
                    names.push((number, name.to_owned()));
                }
                let tags = fields.entry(space).or_insert_with(|| json!({}));
                if let Value::Object(tags) = tags {
                    tags.insert(tag.to_owned(), json!(value));
                }
            }
            _ => {
                comments.push_str(line);
                comments.push('\n');
            }
        }
    }
    let labels = lines.last().map(|(_, comment)| comment.split_whitespace().map(str::to_owned).collect());
    let mut metadata = Map::new();
    if let Some(version) = version {
        let mut words = version.split_whitespace();
        metadata.insert("xdi_version".into(), json!(words.next().unwrap_or_default()));
        metadata.insert("extra_version".into(), json!(words.next().unwrap_or_default()));
    }
    if !comments.is_empty() {
        metadata.insert("comments".into(), json!(comments));
    }
    metadata.insert("fields".into(), Value::Object(fields));
    Header {
        is_xdi: version.is_some(),
        metadata: Value::Object(metadata),
        names,
        labels: labels.unwrap_or_default(),
    }
}

/// The namespaces of the XDI dictionary, in the order they are written.
const NAMESPACES: [&str; 8] =
    ["Facility", "Beamline", "Mono", "Detector", "Sample", "Scan", "Element", "Column"];

impl Serializer for XdiSerializer {
    fn encode(&self, cx: &Context, request: &EncodeRequest, payload: Payload, sink: &mut Sink) -> Result<()> {
        let mut rows = table_rows(cx, request, payload)?.without_index()?;
        let text =
            |name: &str| request.metadata.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
        let mut head = format!("# XDI/{}", text("xdi_version").unwrap_or("1.0"));
        if let Some(extra) = text("extra_version") {
            head.push(' ');
            head.push_str(extra);
        }
        head.push('\n');
        push_fields(&mut head, request.metadata.get("fields"));
        head.push_str("# /////////////\n");
        for line in text("comments").unwrap_or_default().lines() {
            let bare = !line.trim().is_empty() && !line.trim().starts_with('#');
            head.push_str(if bare { "# " } else { "" });
            head.push_str(line);
            head.push('\n');
        }
        head.push_str(concat!(
            "# generated by tiled-host ",
            env!("CARGO_PKG_VERSION"),
            "\n# -------------\n#"
        ));
        for field in rows.schema.fields() {
            head.push(' ');
            head.push_str(field.name());
        }
        head.push('\n');
        sink.put(head.as_bytes())?;
        write_rows(&mut rows, b' ', &mut |bytes: &[u8]| sink.put(bytes))
    }
}

fn push_fields(head: &mut String, fields: Option<&Value>) {
    let Some(fields) = fields.and_then(Value::as_object) else { return };
    let known = NAMESPACES.iter().filter_map(|space| fields.get_key_value(*space));
    let others = fields.iter().filter(|(space, _)| !NAMESPACES.contains(&space.as_str()));
    for (space, tags) in known.chain(others) {
        for (tag, value) in tags.as_object().into_iter().flatten() {
            let value = value.as_str().map_or_else(|| python(value), str::to_owned);
            head.push_str(&format!("# {space}.{tag}: {value}\n"));
        }
    }
}

/// A value as Python's `str` shows it.
fn python(value: &Value) -> String {
    match value {
        Value::Null => "None".into(),
        Value::Bool(true) => "True".into(),
        Value::Bool(false) => "False".into(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use tiled_plugin_api::testing::{encode, open_path};

    use super::*;

    const FILE: &str = "# XDI/1.0 GSE/1.0\n# Column.1: energy eV\n# Element.symbol: Cu\n# GSE.EXTRA:  config 1\n# ///\n\
        # Cu foil\n#----\n# energy i0\n  8779.0  149013.7\n  8789  1e5\n";

    fn opened(text: &str) -> Result<Box<dyn Adapter>> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.xdi");
        std::fs::write(&path, text).unwrap();
        open_path(&XdiReader, "application/x-xdi", &path)
    }

    fn batch(adapter: &dyn Adapter) -> RecordBatch {
        let request = TableRequest::default();
        let mut rows =
            adapter.read_table(&Context::unbounded(), "", &request).unwrap().into_reader().unwrap();
        rows.next().unwrap().unwrap()
    }

    #[test]
    fn header_and_columns_are_read() {
        let adapter = opened(FILE).unwrap();
        let description = adapter.describe("").unwrap();
        let expected = json!({"xdi_version": "1.0", "extra_version": "GSE/1.0", "comments": "# Cu foil\n", "fields":
            {"Column": {"1": "energy eV"}, "Element": {"symbol": "Cu"}, "GSE": {"EXTRA": "config 1"}}});
        assert_eq!(description.metadata, expected);
        assert_eq!(description.specs[0].name, "xdi");
        let batch = batch(&*adapter);
        let names: Vec<String> = batch.schema().fields().iter().map(|field| field.name().clone()).collect();
        assert_eq!((names, batch.num_rows()), (vec!["energy".to_owned(), "i0".to_owned()], 2));
        assert_eq!(batch.column(1).data_type(), &arrow::datatypes::DataType::Float64);
    }

    #[test]
    fn a_header_that_is_no_xdi_is_a_comment() {
        let adapter = opened("# beamline\n1 2\n").unwrap();
        assert_eq!(adapter.describe("").unwrap().metadata["comments"], json!("# beamline\n"));
        assert_eq!(batch(&*adapter).schema().field(0).name(), "col1");
        assert!(opened("# only\n").is_err());
        assert!(opened("1 2\n3\n").err().unwrap().message.contains("line 2"));
    }

    #[test]
    fn a_file_goes_there_and_back() {
        let adapter = opened(FILE).unwrap();
        let description = adapter.describe("").unwrap();
        let request = EncodeRequest {
            media_type: "application/x-xdi".into(),
            structure_family: StructureFamily::Table,
            structure: description.structure.clone(),
            metadata: description.metadata.clone(),
            specs: description.specs.clone(),
            key: "a".into(),
            fields: None,
        };
        let bytes = encode(&XdiSerializer, &request, Payload::Table(one_batch(batch(&*adapter)))).unwrap();
        let text = String::from_utf8(bytes).unwrap();
        assert!(text.starts_with(
            "# XDI/1.0 GSE/1.0\n# Element.symbol: Cu\n# Column.1: energy eV\n# GSE.EXTRA: config 1\n"
        ));
        assert!(text.ends_with("# -------------\n# energy i0\n8779.0 149013.7\n8789.0 100000.0\n"), "{text}");
        assert_eq!(batch(&*opened(&text).unwrap()), batch(&*adapter));
    }
}
