//! Writes arrays of one or two axes as tab-separated text: `?format=tsv`.
//!
//! The values arrive slab by slab, so that an array of any size is written with little memory.

use std::io::Write;

use tiled_plugin_api::prelude::*;

struct Tsv;

impl Serializer for Tsv {
    fn encode(&self, cx: &Context, request: &EncodeRequest, payload: Payload, sink: &mut Sink) -> Result<()> {
        let structure: ArrayStructure = request.structure()?;
        let columns = match structure.shape[..] {
            [_] => 1,
            [_, columns] => columns.max(1) as usize,
            _ => return Err(not_acceptable("text has one or two axes; ask for a slice of this array")),
        };
        let write = writer_of(&structure.data_type)?;
        let Payload::Array(mut slabs) = payload else {
            return Err(not_acceptable("only arrays can be written as tab-separated text"));
        };
        let item = structure.data_type.itemsize() as usize;
        while let Some(slab) = slabs.next()? {
            cx.check()?;
            for row in slab.bytes.chunks_exact(item * columns) {
                for (i, value) in row.chunks_exact(item).enumerate() {
                    sink.put(if i == 0 { b"" } else { b"\t" })?;
                    write(sink, value).map_err(Error::internal)?;
                }
                sink.put(b"\n")?;
            }
        }
        Ok(())
    }
}

type WriteValue = fn(&mut Sink, &[u8]) -> std::io::Result<()>;

/// How one value of this type is written.
fn writer_of(data_type: &DataType) -> Result<WriteValue> {
    macro_rules! number {
        ($type:ty) => {
            |sink, bytes| {
                let bytes = bytes.try_into().map_err(std::io::Error::other)?;
                write!(sink, "{}", <$type>::from_ne_bytes(bytes))
            }
        };
    }
    if data_type.is_swapped() {
        return Err(not_acceptable("values in foreign byte order cannot be written as text"));
    }
    Ok(match (data_type.kind(), data_type.itemsize()) {
        (Kind::Float, 4) => number!(f32),
        (Kind::Float, 8) => number!(f64),
        (Kind::Int, 4) => number!(i32),
        (Kind::Int, 8) => number!(i64),
        (Kind::Uint | Kind::Bool, 1) => number!(u8),
        (Kind::Uint, 2) => number!(u16),
        (Kind::Uint, 4) => number!(u32),
        _ => return Err(not_acceptable("values of this type cannot be written as text")),
    })
}

fn not_acceptable(message: &str) -> Error {
    Error::new(ErrorKind::NotAcceptable, message)
}

tiled_plugin_api::export_plugin! {
    name: "tsv",
    serializers: [
        Tsv => {
            families: ["array"],
            media_types: ["text/tab-separated-values"],
            aliases: { "tsv": "text/tab-separated-values" },
        },
    ],
}
