//! FITS files (version 4.0 of the standard), read as astropy reads them.
//!
//! * A file whose only data are one image is that array, also where an empty primary HDU stands before it (as `fpack`
//!   writes them). Any other file is a container of its HDUs, its metadata those of the primary HDU.
//! * Images: `BZERO`, `BSCALE` and `BLANK` are applied as astropy does. Values that need none of it are served as they
//!   are stored, big endian, straight from the file. Tiled compression: `RICE_1`, `GZIP_1`, `GZIP_2`, `PLIO_1`,
//!   `NOCOMPRESS`, quantised floats with and without dithering; `HCOMPRESS_1` is refused.
//! * Binary and ASCII tables: tables in partitions. Vectors are lists of fixed length, variable-length columns lists,
//!   complex columns two columns, `NAME.real` and `NAME.imag`.
//! * Files may be inside of gzip. Random groups are refused.

mod adapter;
mod ascii;
mod card;
mod codec;
mod column;
mod form;
// Of the plugin for detector images, compiled once more: plugins depend on the contract only.
#[path = "../../frames/src/gz.rs"]
mod gz;
mod hdu;
mod header;
mod image;
mod plio;
mod quantize;
mod reader;
mod rice;
mod scale;
mod table;
mod tile_copy;
mod tiles;
mod variable;

pub use reader::FitsReader;

tiled_plugin_api::export_plugin! {
    name: "fits",
    readers: [
        FitsReader => {
            mimetypes: ["application/fits", "image/fits"],
            extensions: [".fits", ".fit", ".fts", ".fz", ".fits.gz", ".fit.gz", ".fts.gz", ".fits.fz"],
        },
    ],
}
