//! NumPy's `.npy` files and `.npz` archives.
//!
//! * `.npy` (format versions 1, 2, 3): an array in one chunk. Every NumPy type but Python objects, which are refused:
//!   nothing is ever unpickled. Records are served packed, Fortran order as C order.
//! * Numbered `.npy` files: one array with a new first axis, one chunk a file.
//! * `.npz`: a container of its arrays. Stored members are read where they lie, deflated ones are inflated as a stream.
//!
//! Answers: any array as `.npy`, containers as ZIP archives of `.npy` and Arrow files.
//!
//! Values are read straight from the file into the answer wherever they lie there in the order that is asked for.

mod adapter;
mod archive;
mod dtype;
mod header;
mod literal;
mod reader;
mod serializer;

pub use reader::{NpyReader, NpzReader};
pub use serializer::{NpySerializer, ZipSerializer};

tiled_plugin_api::export_plugin! {
    name: "npy",
    readers: [
        NpyReader => { mimetypes: ["application/x-npy"], extensions: [".npy"], sequence: "multipart/related;type=application/x-npy" },
        NpzReader => { mimetypes: ["application/x-npz"], extensions: [".npz"] },
    ],
    serializers: [
        NpySerializer => {
            families: ["array"], media_types: ["application/x-npy"], aliases: { "npy": "application/x-npy" }
        },
        ZipSerializer => {
            families: ["container"], media_types: ["application/zip"], aliases: { "zip": "application/zip" }
        },
    ],
}
