//! PNG, JPEG, GIF, BMP, WebP, PNM, Targa, QOI and ICO files and sequences of them, read as Pillow reads them.
//!
//! A file is one array in one chunk: rows, columns, and samples where a pixel has several. Values are those of
//! `numpy.asarray(PIL.Image.open(file))`: palettes stay indices, one bit becomes bool, 16 bits of colour become 8, of
//! animations the first frame is shown, of icons the largest picture, and JPEG is decoded bit by bit as libjpeg-turbo
//! does.
//!
//! The crate `image` decodes BMP, WebP, PNM, Targa, QOI and ICO. It gives colours where Pillow gives indices, and takes
//! JPEG to pixels by other rounding: so GIF and PNG are read with the crates below it, `gif` and `png`, and JPEG here.

mod adapter;
mod bmp;
mod decoders;
mod gif_file;
mod ico;
mod jpeg;
mod jpeg_file;
mod levels;
mod picture;
mod png_file;
mod png_serializer;
mod pnm;
mod reader;
mod tga;
mod view;

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
        ImageReader(Format::Pnm) => {
            mimetypes: ["image/x-portable-anymap", "image/x-portable-bitmap", "image/x-portable-graymap", "image/x-portable-pixmap"],
            extensions: [".pnm", ".pgm", ".ppm", ".pbm"],
        },
        ImageReader(Format::Tga) => { mimetypes: ["image/x-tga"], extensions: [".tga"] },
        ImageReader(Format::Qoi) => { mimetypes: ["image/qoi"], extensions: [".qoi"] },
        ImageReader(Format::Ico) => { mimetypes: ["image/x-icon"], extensions: [".ico"] },
    ],
    serializers: [
        PngSerializer => { families: ["array"], media_types: ["image/png"], aliases: { "png": "image/png" } },
    ],
}
