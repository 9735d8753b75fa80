//! PNG, JPEG, GIF, BMP and WebP files and sequences of them, read as Pillow reads them.
//!
//! A file is one array in one chunk: rows, columns, and samples where a pixel has several. Values are those of
//! `numpy.asarray(PIL.Image.open(file))`: palettes stay indices, one bit becomes bool, 16 bits of colour become 8, of
//! animations the first frame is shown, and JPEG is decoded bit by bit as libjpeg-turbo does.

mod adapter;
mod bmp;
mod gif_file;
mod jpeg;
mod jpeg_file;
mod levels;
mod picture;
mod png_file;
mod png_serializer;
mod reader;
mod webp_file;

pub use picture::Format;
pub use png_serializer::PngSerializer;
pub use reader::ImageReader;

tiled_plugin_api::export_plugin! {
    name: "image",
    readers: [
        ImageReader(Format::Png) => {
            mimetypes: ["image/png"],
            extensions: [".png", ".apng"],
            sequence: "multipart/related;type=image/png",
        },
        ImageReader(Format::Jpeg) => {
            mimetypes: ["image/jpeg"],
            extensions: [".jpg", ".jpeg", ".jpe", ".jfif"],
            sequence: "multipart/related;type=image/jpeg",
        },
        ImageReader(Format::Gif) => { mimetypes: ["image/gif"], extensions: [".gif"] },
        ImageReader(Format::Bmp) => {
            mimetypes: ["image/bmp", "image/x-ms-bmp"],
            extensions: [".bmp", ".dib"],
            sequence: "multipart/related;type=image/bmp",
        },
        ImageReader(Format::Webp) => { mimetypes: ["image/webp"], extensions: [".webp"] },
    ],
    serializers: [
        PngSerializer => { families: ["array"], media_types: ["image/png"], aliases: { "png": "image/png" } },
    ],
}
