//! Ragged arrays in all three databases, as Tiled's client sends them.

use serde_json::{Value, json};
use tiled_plugin_api::{
    author::{Context, ErrorKind, OwnedBuffer, Payload, Result, WriteRequest},
    model::{DataType, RaggedStructure},
};

mod common;
use common::{DataSource, RAGGED, create, databases, zip_body};

fn structure(shape: &[Option<u64>], chunks: &[u64], dtype: &str) -> RaggedStructure {
    let mut all: Vec<Option<Vec<u64>>> =
        shape.iter().map(|length| length.map(|length| vec![length])).collect();
    all[0] = Some(chunks.to_vec());
    RaggedStructure {
        data_type: DataType::from_numpy_str(dtype).unwrap(),
        shape: shape.to_vec(),
        size: 0,
        chunks: all,
        dims: None,
        resizable: false,
    }
}

fn make(uri: &str, structure: &RaggedStructure) -> DataSource {
    create(uri, RAGGED, serde_json::to_value(structure).unwrap(), json!({})).unwrap()
}

fn longs(values: &[i64]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

/// A list of lists of float64, its form in a JSON string as Tiled's client sends it.
fn body(offsets: &[i64], data: &[f64]) -> Payload {
    let form = json!({"class": "ListOffsetArray", "offsets": "i64", "form_key": "node0", "content":
        {"class": "NumpyArray", "primitive": "float64", "inner_shape": [], "form_key": "node1"}});
    let form = Value::from(form.to_string()).to_string();
    zip_body(&[
        ("node0-offsets", longs(offsets)),
        ("node1-data", data.iter().flat_map(|value| value.to_le_bytes()).collect()),
        ("length", ((offsets.len() - 1) as u64).to_be_bytes().to_vec()),
        ("form", form.into_bytes()),
    ])
}

fn read(array: &DataSource) -> Result<(Vec<i64>, Vec<f64>)> {
    let buffers = array.adapter().read_buffers(&Context::unbounded(), "", &[])?;
    assert_eq!(
        buffers.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(),
        ["node0-offsets", "node1-data"]
    );
    let words = |bytes: &OwnedBuffer| bytes.as_chunks::<8>().0.to_vec();
    let offsets = words(&buffers[0].1).into_iter().map(i64::from_le_bytes).collect();
    Ok((offsets, words(&buffers[1].1).into_iter().map(f64::from_le_bytes).collect()))
}

fn block(place: u64) -> WriteRequest {
    WriteRequest { block: Some(vec![place]), ..WriteRequest::default() }
}

#[test]
fn chunks_are_written_in_any_order_replaced_and_appended() {
    let all = databases();
    for uri in &all.uris {
        let mut array = make(uri, &structure(&[Some(3), None], &[2, 1], "<f8"));
        let other = make(uri, &structure(&[Some(1), None], &[1], "<f8"));
        other.write(WriteRequest::default(), body(&[0, 1], &[-1.0])).unwrap();
        assert_eq!(read(&array).unwrap_err().message, "Chunk 0 has not been stored yet");
        array.write(block(1), body(&[0, 2], &[5.0, f64::INFINITY])).unwrap();
        array.write(block(0), body(&[0, 1, 1], &[9.0])).unwrap();
        // Offsets need not begin at 0: parts of an array are sent as they are.
        array.write(block(0), body(&[2, 3, 5], &[0.0, 0.0, 1.5, 2.0, 3.0, 7.0])).unwrap();
        assert_eq!(
            read(&array).unwrap(),
            (vec![0, 1, 3, 5], vec![1.5, 2.0, 3.0, 5.0, f64::INFINITY]),
            "{uri}"
        );
        let append = WriteRequest { append: true, ..WriteRequest::default() };
        let stale = array.clone();
        let before = array.adapter().revision("").unwrap();
        let grown = array.write(append.clone(), body(&[0, 0, 1], &[8.0])).unwrap().unwrap();
        assert_ne!(before, array.adapter().revision("").unwrap());
        array.structure = grown;
        assert_eq!(array.structure["shape"], json!([5, null]));
        assert_eq!(array.structure["chunks"], json!([[2, 1, 2], null]));
        assert_eq!(array.structure["size"], json!(1));
        assert_eq!(read(&array).unwrap().0, [0, 1, 3, 5, 5, 6], "{uri}");
        // Whoever has not seen the new chunk cannot append another one in its place.
        let error = stale.write(append, body(&[0, 1], &[4.0])).unwrap_err();
        assert_eq!(error.kind, ErrorKind::Conflict, "{uri}");
        array.write(WriteRequest::default(), body(&[0, 1, 2, 3, 4, 5], &[1.0, 2.0, 3.0, 4.0, 5.0])).unwrap();
        assert_eq!(read(&array).unwrap(), (vec![0, 1, 2, 3, 4, 5], vec![1.0, 2.0, 3.0, 4.0, 5.0]), "{uri}");
        array.delete().unwrap();
        assert_eq!(read(&other).unwrap().1, [-1.0], "{uri}");
    }
}

#[test]
fn a_chunk_that_no_structure_tells_of_gives_way_to_one_that_names_its_place() {
    let all = databases();
    for uri in &all.uris {
        let mut array = make(uri, &structure(&[Some(1), None], &[1], "<f8"));
        array.write(WriteRequest::default(), body(&[0, 1], &[1.0])).unwrap();
        let append = WriteRequest { append: true, ..WriteRequest::default() };
        // Its writer ends before the catalog is told.
        array.write(append.clone(), body(&[0, 2], &[7.0, 7.0])).unwrap();
        assert_eq!(read(&array).unwrap(), (vec![0, 1], vec![1.0]), "{uri}");
        let error = array.write(append.clone(), body(&[0, 1], &[2.0])).unwrap_err();
        assert_eq!(error.kind, ErrorKind::Conflict, "{uri}");
        let error =
            array.write(WriteRequest { block: Some(vec![0]), ..append.clone() }, body(&[0, 1], &[2.0]));
        assert_eq!(
            error.unwrap_err().kind,
            ErrorKind::Conflict,
            "{uri}: no chunk of the structure gives way"
        );
        let over = WriteRequest { block: Some(vec![1]), ..append };
        array.structure = array.write(over, body(&[0, 1], &[2.0])).unwrap().unwrap();
        assert_eq!(array.structure["chunks"], json!([[1, 1], null]));
        assert_eq!(read(&array).unwrap(), (vec![0, 1, 2], vec![1.0, 2.0]), "{uri}");
    }
}

#[test]
fn every_element_type_comes_back() {
    let all = databases();
    for uri in &all.uris {
        for (dtype, size) in [
            ("|b1", 1),
            ("|i1", 1),
            ("|u1", 1),
            ("<i2", 2),
            ("<u2", 2),
            ("<i4", 4),
            ("<u4", 4),
            ("<i8", 8),
            ("<u8", 8),
        ] {
            let array = make(uri, &structure(&[Some(2), Some(2), None], &[2], dtype));
            let text = if dtype == "|b1" {
                "[[[true],[]],[[true,false],[true]]]"
            } else {
                "[[[1],[]],[[100,2],[3]]]"
            };
            let json = |text: &str| Payload::Body {
                media_type: "application/json".into(),
                bytes: OwnedBuffer::from_vec(text.as_bytes().to_vec()),
            };
            array.write(WriteRequest::default(), json(text)).unwrap();
            let buffers = array.adapter().read_buffers(&Context::unbounded(), "", &[]).unwrap();
            assert_eq!(buffers[0].1.to_vec(), longs(&[0, 1, 1, 3, 4]), "{dtype} in {uri}");
            let wanted = if dtype == "|b1" { [1_u64, 1, 0, 1] } else { [1, 100, 2, 3] };
            let wanted: Vec<u8> = wanted.iter().flat_map(|v| v.to_le_bytes()[..size].to_vec()).collect();
            assert_eq!(buffers[1].1.to_vec(), wanted, "{dtype} in {uri}");
        }
    }
}

#[test]
fn bodies_that_do_not_fit_are_refused() {
    let all = databases();
    let uri = &all.uris[0];
    let array = make(uri, &structure(&[Some(2), None], &[2], "<f8"));
    let ints = make(uri, &structure(&[Some(2), None], &[2], "<i8"));
    let deep = make(uri, &structure(&[Some(2), None, None], &[2], "<f8"));
    let refused = |array: &DataSource, request: WriteRequest, payload: Payload| {
        let error = array.write(request, payload).unwrap_err();
        assert!(
            matches!(error.kind, ErrorKind::InvalidArgument | ErrorKind::OutOfBounds),
            "{:?} {error}",
            error.kind
        );
        error.message
    };
    let whole = WriteRequest::default;
    assert!(refused(&array, whole(), body(&[0, 1], &[1.0])).contains("has 2 rows, 1 were sent"));
    assert!(refused(&ints, whole(), body(&[0, 1, 2], &[1.0, 2.0])).contains("another type"));
    assert!(refused(&deep, whole(), body(&[0, 1, 2], &[1.0, 2.0])).contains("axes differ"));
    assert!(refused(&array, whole(), body(&[0, 1, 3], &[1.0, 2.0])).contains("too short"));
    assert!(refused(&array, whole(), body(&[0, 2, 1], &[1.0, 2.0])).contains("do not ascend"));
    assert!(refused(&array, block(1), body(&[0, 1, 2], &[1.0, 2.0])).contains("Block out of range"));
    let rubbish =
        Payload::Body { media_type: "application/zip".into(), bytes: OwnedBuffer::from_vec(vec![1; 99]) };
    assert!(refused(&array, whole(), rubbish).contains("no ZIP file"));
    assert_eq!(read(&array).unwrap_err().kind, ErrorKind::NotFound);
}
