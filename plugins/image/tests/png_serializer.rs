//! Arrays become pictures as Tiled makes them.

use serde_json::json;
use tiled_image::{Format, ImageReader, PngSerializer};
use tiled_plugin_api::{prelude::*, testing};

fn encode(dtype: &str, shape: &[u64], values: &[u8]) -> Result<Vec<u8>> {
    let structure = ArrayStructure::single_chunk(DataType::from_numpy_str(dtype).unwrap(), shape.to_vec());
    let request = EncodeRequest {
        media_type: "image/png".into(),
        structure_family: StructureFamily::Array,
        structure: serde_json::to_value(structure).unwrap(),
        metadata: json!({}),
        specs: vec![],
        key: "a".into(),
        fields: None,
    };
    let payload = testing::one_slab(shape.first().copied().unwrap_or(1), values.to_vec());
    testing::encode(&PngSerializer, &request, payload)
}

#[test]
fn values_are_spread_between_the_1st_and_the_99th_percentile() {
    let values: Vec<u8> = (0..200u32).flat_map(|i| (i as f32).to_le_bytes()).collect();
    let png = encode("<f4", &[20, 10], &values).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.png");
    std::fs::write(&path, png).unwrap();
    let adapter = testing::open_path(&ImageReader(Format::Png), "image/png", &path).unwrap();
    let got = testing::read_array(&*adapter, "").unwrap();
    // numpy: low, high = 1.99, 197.01
    let level = |i: f32| (((i - 1.99) / 195.02).clamp(0.0, 1.0) * 255.0).round_ties_even() as u8;
    assert_eq!(got, (0..200u8).map(|i| level(f32::from(i))).collect::<Vec<_>>());
}

#[test]
fn arrays_of_other_shapes_are_refused_with_the_words_of_tiled() {
    let error = encode("|u1", &[3, 4, 5], &[0; 60]).unwrap_err();
    assert_eq!(error.kind, ErrorKind::NotAcceptable);
    let text = "This type is supported in general but there was an error packing this specific data: \
                Failed to serialize this array as png. Shape is (3, 4, 5), dtype is float32.";
    assert_eq!(error.message, text);
    let error = encode("|u1", &[1, 1, 4, 5], &[0; 20]).unwrap_err();
    assert!(error.message.starts_with("The shape of this data 4 is incompatible"), "{error}");
}
