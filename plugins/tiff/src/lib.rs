//! TIFF files and sequences of them, read as `tifffile` reads them, and arrays written as TIFF.
//!
//! A file is one array: the first *series* that tifffile finds in it, in one chunk, with the tags of the first page as
//! metadata. Understood: classic TIFF and BigTIFF of either byte order, strips and tiles, multi-page stacks, planar
//! images (planes first), files of tifffile, ImageJ hyperstacks, OME-TIFF, MetaMorph stacks. Values are those stored:
//! palettes stay indices, white-is-zero stays so, single bits become bools.

mod adapter;
mod ccitt;
mod codec;
mod file;
mod imagej;
// The decoder of the image plugin, compiled once more: plugins depend on the contract only.
#[allow(dead_code)]
#[path = "../../image/src/jpeg/mod.rs"]
mod jpeg;
mod jpeg_segment;
mod metadata;
mod ome;
mod page;
mod predictor;
mod read;
mod reader;
mod segment;
mod serializer;
mod series;
mod shaped;
mod stack;

pub use reader::TiffReader;
pub use serializer::TiffSerializer;

tiled_plugin_api::export_plugin! {
    name: "tiff",
    readers: [
        TiffReader => {
            mimetypes: ["image/tiff"],
            extensions: [".tif", ".tiff", ".tf8", ".btf", ".stk", ".lsm", ".svs"],
            sequence: "multipart/related;type=image/tiff",
        },
    ],
    serializers: [
        TiffSerializer => {
            families: ["array"],
            media_types: ["image/tiff"],
            aliases: { "tif": "image/tiff", "tiff": "image/tiff" },
        },
    ],
}
