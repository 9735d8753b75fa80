//! Writes a container of the spec `BlueskyRun` as the documents of the run: `?format=json-seq`.
//!
//! What a serializer is for is a structure family or, as here, a spec: other containers keep the formats they have. The
//! run's metadata hold its documents `start` and `stop`, each stream below it is a container of tables and arrays whose
//! first axis counts events. Events are read and written a page at a time, so that a run of any length takes little memory.

use tiled_plugin_api::{
    prelude::*,
    serde_json::{Map, Value, json},
};

struct Documents;

/// Events of one page.
const PAGE: u64 = 500;

impl Serializer for Documents {
    fn encode(&self, cx: &Context, request: &EncodeRequest, payload: Payload, sink: &mut Sink) -> Result<()> {
        let Payload::Node(run) = payload else { return Err(unfit("a run is a container")) };
        let start = request.metadata.get("start").ok_or_else(|| unfit("the metadata have no document `start`"))?;
        put(sink, "start", start)?;
        for (path, stream) in streams(&*run)? {
            cx.check()?;
            let name = path.rsplit('/').next().unwrap_or_default();
            let mut descriptor = stream.metadata.pointer("/descriptors/0").unwrap_or(&stream.metadata).clone();
            if let Some(document) = descriptor.as_object_mut() {
                document.entry("uid").or_insert_with(|| json!(name));
                document.entry("name").or_insert_with(|| json!(name));
                document.entry("run_start").or_insert_with(|| start["uid"].clone());
            }
            put(sink, "descriptor", &descriptor)?;
            events(cx, &*run, &path, &descriptor["uid"], sink)?;
        }
        match request.metadata.get("stop").filter(|stop| !stop.is_null()) {
            Some(stop) => put(sink, "stop", stop),
            None => Ok(()),
        }
    }
}

/// RFC 7464: a separator, the document, a line feed.
fn put(sink: &mut Sink, name: &str, document: &Value) -> Result<()> {
    sink.put(format!("\u{1e}{}\n", json!({ "name": name, "doc": document })).as_bytes())
}

fn unfit(message: &str) -> Error {
    Error::new(ErrorKind::NotAcceptable, format!("This run has no form as documents: {message}"))
}

/// The children of a node, with what they are.
fn children(node: &dyn Adapter, path: &str) -> Result<Vec<(String, Description)>> {
    let mut all = vec![];
    loop {
        let request = ChildrenRequest { offset: all.len() as u64, limit: 500, keys_only: false };
        let page = node.children(path, &request)?;
        let count = page.items.len();
        for child in page.items {
            let inner = if path.is_empty() { child.key } else { format!("{path}/{}", child.key) };
            let description = match child.description {
                Some(description) => description,
                None => node.describe(&inner)?,
            };
            all.push((inner, description));
        }
        if count == 0 || all.len() as u64 >= page.count {
            return Ok(all);
        }
    }
}

/// The run's streams: containers below it, or below its child `streams`.
fn streams(run: &dyn Adapter) -> Result<Vec<(String, Description)>> {
    let below = children(run, "")?;
    let below = if below.iter().any(|(path, _)| path == "streams") { children(run, "streams")? } else { below };
    let is_stream = |(_, node): &(String, Description)| node.structure_family == StructureFamily::Container;
    Ok(below.into_iter().filter(is_stream).collect())
}

/// Everything of a stream that has values for each event: arrays, and the columns of tables, which can be read as arrays.
fn fields(run: &dyn Adapter, path: &str, found: &mut Vec<(String, ArrayStructure)>) -> Result<()> {
    for (inner, node) in children(run, path)? {
        match node.structure_family {
            StructureFamily::Array => found.push((inner, node.structure()?)),
            StructureFamily::Container => fields(run, &inner, found)?,
            StructureFamily::Table => {
                let table: TableStructure = node.structure()?;
                for column in table.columns {
                    let column = format!("{inner}/{column}");
                    let structure = run.describe(&column)?.structure()?;
                    found.push((column, structure));
                }
            }
            _ => {}
        }
    }
    Ok(())
}

fn events(cx: &Context, run: &dyn Adapter, stream: &str, descriptor: &Value, sink: &mut Sink) -> Result<()> {
    let mut columns = vec![];
    fields(run, stream, &mut columns)?;
    let count = columns.iter().filter_map(|(_, array)| array.shape.first()).min().copied().unwrap_or(0);
    for from in (0..count).step_by(PAGE as usize) {
        cx.check()?;
        let rows = PAGE.min(count - from);
        let (mut data, mut timestamps, mut own) = (Map::new(), Map::new(), Map::new());
        for (path, array) in &columns {
            let values = read(cx, run, path, array, from, rows)?;
            let key = path.rsplit('/').next().unwrap_or_default();
            match key.strip_prefix("ts_") {
                Some(key) => timestamps.insert(key.to_owned(), values),
                None if matches!(key, "time" | "seq_num" | "uid") => own.insert(key.to_owned(), values),
                None => data.insert(key.to_owned(), values),
            };
        }
        own.entry("seq_num").or_insert_with(|| (from + 1..=from + rows).collect());
        own.insert("descriptor".into(), descriptor.clone());
        own.insert("data".into(), data.into());
        own.insert("timestamps".into(), timestamps.into());
        put(sink, "event_page", &own.into())?;
    }
    Ok(())
}

/// The values of some events as a list.
fn read(cx: &Context, run: &dyn Adapter, path: &str, of: &ArrayStructure, from: u64, rows: u64) -> Result<Value> {
    let (_, inner) = of.shape.split_first().ok_or_else(|| unfit(&format!("{path} is a single value")))?;
    let mut slice = vec![SliceDim::range(from, rows)];
    slice.extend(inner.iter().map(|n| SliceDim::all(*n)));
    let item = of.data_type.itemsize() as usize;
    let bytes = match run.read_owned(cx, path, &slice)? {
        Some(bytes) => bytes,
        None => {
            let mut bytes = vec![0; inner.iter().product::<u64>() as usize * rows as usize * item];
            run.read_into(cx, path, &slice, &mut bytes)?;
            OwnedBuffer::from_vec(bytes)
        }
    };
    let mut values = vec![];
    for bytes in bytes.chunks_exact(item.max(1)) {
        values.push(value(&of.data_type, bytes).ok_or_else(|| unfit(&format!("the type of {path}")))?);
    }
    // Lists of lists, from the last axis on.
    for length in inner.iter().rev() {
        values = values.chunks((*length).max(1) as usize).map(|part| Value::from(part.to_vec())).collect();
    }
    Ok(values.into())
}

/// One value; `None` for a type that has no form in JSON.
fn value(data_type: &DataType, bytes: &[u8]) -> Option<Value> {
    let mut bytes = bytes.to_vec();
    if data_type.is_swapped() && data_type.kind() != Kind::Unicode {
        bytes.reverse();
    }
    macro_rules! number {
        ($type:ty) => {
            json!(<$type>::from_ne_bytes(bytes.try_into().ok()?))
        };
    }
    Some(match (data_type.kind(), data_type.itemsize()) {
        (Kind::Bool, _) => json!(bytes.first() != Some(&0)),
        (Kind::Int, 1) => number!(i8),
        (Kind::Int, 2) => number!(i16),
        (Kind::Int, 4) => number!(i32),
        (Kind::Int, 8) => number!(i64),
        (Kind::Uint, 1) => number!(u8),
        (Kind::Uint, 2) => number!(u16),
        (Kind::Uint, 4) => number!(u32),
        (Kind::Uint, 8) => number!(u64),
        (Kind::Float, 4) => number!(f32),
        (Kind::Float, 8) => number!(f64),
        (Kind::Unicode, _) => {
            let letter = |unit: &[u8]| {
                let unit = <[u8; 4]>::try_from(unit).ok()?;
                let native = u32::from_ne_bytes(unit);
                char::from_u32(if data_type.is_swapped() { native.swap_bytes() } else { native })
            };
            let text: Option<String> = bytes.chunks_exact(4).map(letter).collect();
            json!(text?.trim_end_matches('\0'))
        }
        _ => return None,
    })
}

tiled_plugin_api::export_plugin! {
    name: "bluesky",
    serializers: [
        Documents => {
            families: ["BlueskyRun"],
            media_types: ["application/json-seq"],
            aliases: { "json-seq": "application/json-seq" },
        },
    ],
}
