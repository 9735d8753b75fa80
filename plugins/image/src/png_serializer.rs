//! Arrays as PNG, as Tiled shows them: values between the 1st and the 99th percentile become grey levels 0 to 255, or what
//! [`View`] says.

use png::{BitDepth, ColorType, Compression, Encoder};
use tiled_plugin_api::prelude::{
    ArrayStructure, Context, DataType, EncodeRequest, Error, ErrorKind, Payload, Result, Serializer, Sink,
};

use crate::{levels, view::View};

/// Writes `image/png`.
#[derive(Default)]
pub struct PngSerializer;

fn refused(message: String) -> Error {
    Error::new(ErrorKind::NotAcceptable, message)
}

/// What Tiled says where Pillow has no mode for an array.
fn unfit(shape: &[u64], dtype: &str) -> Error {
    let axes: Vec<String> = shape.iter().map(u64::to_string).collect();
    refused(format!(
        "This type is supported in general but there was an error packing this specific data: \
         Failed to serialize this array as png. Shape is ({}), dtype is {dtype}.",
        axes.join(", ")
    ))
}

/// Height, width and colours of an array of this shape.
fn layout(structure: &ArrayStructure, media_type: &str) -> Result<(u32, u32, ColorType)> {
    let axes = structure.shape.len();
    if axes > 3 {
        return Err(refused(format!(
            "The shape of this data {axes} is incompatible with the requested format ({media_type}). \
             Slice it or choose a different format."
        )));
    }
    let mut shape = structure.shape.clone();
    while shape.len() < 2 {
        shape.insert(0, 1);
    }
    let color = match shape.get(2) {
        None => ColorType::Grayscale,
        Some(2) => ColorType::GrayscaleAlpha,
        Some(3) => ColorType::Rgb,
        Some(4) => ColorType::Rgba,
        Some(_) => return Err(unfit(&shape, "float32")),
    };
    let side = |axis: usize| shape.get(axis).and_then(|n| u32::try_from(*n).ok()).filter(|n| *n > 0);
    match (side(0), side(1)) {
        (Some(height), Some(width)) => Ok((height, width, color)),
        _ => Err(unfit(&shape, "float32")),
    }
}

/// Pictures of more samples are filtered in one way only.
const LARGE_PIXELS: usize = 1 << 18;
/// Bytes of values that a picture may be made of.
const MAX_BYTES: u64 = 256 << 20;

fn colored(levels: &[u8], colors: &[[u8; 3]]) -> Vec<u8> {
    levels.iter().flat_map(|level| colors.get(usize::from(*level)).copied().unwrap_or_default()).collect()
}

impl Serializer for PngSerializer {
    fn encode(&self, cx: &Context, request: &EncodeRequest, payload: Payload, sink: &mut Sink) -> Result<()> {
        let structure: ArrayStructure = request.structure()?;
        let (height, width, color) = layout(&structure, &request.media_type)?;
        let Payload::Array(slabs) = payload else {
            return Err(Error::internal("the payload of an array is not an array"));
        };
        let dtype = &structure.data_type;
        if !levels::has_levels(dtype) {
            let name = match dtype {
                DataType::Struct { .. } => "void".to_owned(),
                DataType::Builtin { .. } => dtype.numpy_str().unwrap_or_default(),
            };
            return Err(unfit(&structure.shape, &name));
        }
        let view = View::of(request)?;
        if view.colors.is_some() && color != ColorType::Grayscale {
            let message =
                "A picture of colours takes no colour map: leave out colors=, or slice one of its channels";
            return Err(Error::new(ErrorKind::InvalidArgument, message));
        }
        if structure.nbytes().is_none_or(|bytes| bytes > MAX_BYTES) {
            let message = format!("A picture is made in memory, of at most {MAX_BYTES} bytes: slice it");
            return Err(Error::new(ErrorKind::TooLarge, message));
        }
        let values = slabs.read_all()?;
        cx.check()?;
        let pixels =
            levels::levels(&values, dtype, &view).ok_or_else(|| unfit(&structure.shape, "float32"))?;
        drop(values);
        let (pixels, color) = match &view.colors {
            Some(colors) => (colored(&pixels, colors), ColorType::Rgb),
            None => (pixels, color),
        };
        let mut encoder = Encoder::new(&mut *sink, width, height);
        encoder.set_color(color);
        encoder.set_depth(BitDepth::Eight);
        // Trying all filters on each row takes longer than all the rest.
        let is_large = pixels.len() > LARGE_PIXELS;
        encoder.set_compression(if is_large { Compression::Fastest } else { Compression::Fast });
        let mut writer = encoder.write_header().map_err(Error::internal)?;
        writer.write_image_data(&pixels).map_err(Error::internal)?;
        writer.finish().map_err(Error::internal)
    }
}
