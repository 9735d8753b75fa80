//! Images of detectors and density maps: EDF of the ESRF, CBF, SPE of Princeton Instruments, MRC and CCP4 maps.
//!
//! Each file is an array, or a container where its frames differ; headers are metadata. What the formats have in common
//! (frames at known places, read or decoded one by one; numbered files as one array; gzip around a file) is in `image`,
//! `coding`, `adapter` and `gz`; each format's own module parses its header and says where the values are.

mod adapter;
mod cbf;
mod cif;
mod coding;
mod edf;
mod gz;
mod image;
mod mrc;
mod mrc_header;
mod reader;
mod spe;
mod spe_header;
mod spe_xml;
mod text;

pub use reader::{CbfReader, EdfReader, MrcReader, SpeReader};

tiled_plugin_api::export_plugin! {
    name: "frames",
    readers: [
        EdfReader => {
            mimetypes: ["application/x-edf", "image/x-edf"],
            extensions: [".edf", ".edf.gz"],
            sequence: "multipart/related;type=application/x-edf",
        },
        CbfReader => {
            mimetypes: ["application/x-cbf", "image/x-cbf", "image/cbf"],
            extensions: [".cbf", ".cbf.gz"],
            sequence: "multipart/related;type=application/x-cbf",
        },
        SpeReader => { mimetypes: ["application/x-spe", "image/x-spe"], extensions: [".spe"] },
        MrcReader => {
            mimetypes: ["application/x-mrc", "image/x-mrc"],
            extensions: [".mrc", ".mrcs", ".ccp4", ".mrc.gz", ".mrcs.gz", ".map.gz"],
        },
    ],
}
