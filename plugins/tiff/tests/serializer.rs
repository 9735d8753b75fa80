//! What is written as TIFF reads back equal; what does not fit is refused with Tiled's words.

use serde_json::json;
use tiled_plugin_api::{prelude::*, testing};
use tiled_tiff::{TiffReader, TiffSerializer};

fn encode(dtype: &str, shape: &[u64], values: &[u8]) -> Result<Vec<u8>> {
    let structure = ArrayStructure::single_chunk(DataType::from_numpy_str(dtype).unwrap(), shape.to_vec());
    let request = EncodeRequest {
        media_type: "image/tiff".into(),
        structure_family: StructureFamily::Array,
        structure: serde_json::to_value(structure).unwrap(),
        metadata: json!({}),
        specs: vec![],
        key: "a".into(),
        fields: None,
    };
    let payload = testing::one_slab(shape.first().copied().unwrap_or(1), values.to_vec());
    testing::encode(&TiffSerializer, &request, payload)
}

fn check(dtype: &str, shape: &[u64]) {
    let dtype = DataType::from_numpy_str(dtype).unwrap();
    let size = shape.iter().product::<u64>() as usize * dtype.itemsize() as usize;
    let is_bool = dtype.kind() == Kind::Bool;
    let values: Vec<u8> =
        (0..size).map(|i| if is_bool { (i % 3 == 0) as u8 } else { (i * 31 % 251) as u8 }).collect();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("written.tif");
    std::fs::write(&path, encode(&dtype.numpy_str().unwrap(), shape, &values).unwrap()).unwrap();
    let adapter = testing::open_path(&TiffReader, "image/tiff", &path).unwrap();
    let structure: ArrayStructure = adapter.describe("").unwrap().structure().unwrap();
    let mut wanted = shape.to_vec();
    while wanted.len() < 2 {
        wanted.insert(0, 1);
    }
    assert_eq!(structure.shape, wanted);
    assert_eq!(
        (structure.data_type.kind(), structure.data_type.itemsize()),
        (dtype.kind(), dtype.itemsize())
    );
    let mut read = testing::read_array(&*adapter, "").unwrap();
    if dtype.is_swapped() {
        read.chunks_mut(dtype.itemsize() as usize).for_each(<[u8]>::reverse);
    }
    assert!(read == values, "{dtype:?} {shape:?}");
}

#[test]
fn arrays_read_back_equal() {
    for dtype in [
        "|u1", "<u2", "<u4", "<u8", "|i1", "<i2", "<i4", "<i8", "<f2", "<f4", "<f8", "<c8", "|b1", ">u2",
        ">f8",
    ] {
        for shape in [
            &[][..],
            &[5],
            &[4, 5],
            &[4, 5, 3],
            &[3, 4, 5],
            &[2, 4, 5, 4],
            &[2, 3, 4, 5],
            &[6, 5, 7],
            &[5, 4, 1],
        ] {
            check(dtype, shape);
        }
    }
}

#[test]
fn five_axes_are_refused_with_the_words_of_tiled() {
    let error = encode("|u1", &[1, 1, 1, 1, 2], &[0; 2]).unwrap_err();
    assert_eq!(error.kind, ErrorKind::NotAcceptable);
    let text = "The shape of this data 5 is incompatible with the requested format (image/tiff). \
                Slice it or choose a different format.";
    assert_eq!(error.message, text);
}

#[test]
fn text_is_refused() {
    assert_eq!(encode("<U2", &[1, 1], &[0; 8]).unwrap_err().kind, ErrorKind::NotAcceptable);
}
