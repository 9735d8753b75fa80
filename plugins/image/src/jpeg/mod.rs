//! JPEG, bit by bit as libjpeg-turbo decodes it with its default settings: the accurate integer IDCT, triangle-filter
//! ("fancy") upsampling, fixed-point colour conversion.
//!
//! Takes the bytes of a stream (and, for TIFF, shared tables), gives samples side by side. Sequential and progressive
//! Huffman streams of 8 bits are decoded, arithmetic coding and 12 bits are not. A stream that ends early is an error,
//! never grey. This module uses nothing but the standard library, so that the TIFF plugin can compile it too.

mod bits;
mod color;
mod frame;
mod huffman;
mod idct;
mod scan;
mod stream;
mod upsample;

pub use stream::Header;

/// What went wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JpegError {
    /// The stream is damaged or ends early.
    Damaged(String),
    /// The stream is of a kind that is not decoded.
    Unsupported(String),
}

/// `Result` with [`JpegError`].
pub type Outcome<T> = Result<T, JpegError>;

fn damaged<T>(what: impl Into<String>) -> Outcome<T> {
    Err(JpegError::Damaged(what.into()))
}

/// What to do with colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Colors {
    /// As the stream says: YCbCr becomes RGB, YCCK becomes CMYK.
    #[default]
    Convert,
    /// Components stay as they are.
    Keep,
}

/// A decoded picture.
pub struct Picture {
    /// Samples of a pixel: 1, 3 or 4.
    pub components: usize,
    /// Rows of pixels of samples.
    pub samples: Vec<u8>,
    /// Whether the stream has its end marker.
    pub is_complete: bool,
}

/// Reads the headers only.
///
/// # Errors
/// `Damaged` when there is no frame.
pub fn header(bytes: &[u8]) -> Outcome<Header> {
    stream::Stream::default().header(bytes)
}

/// Decodes a stream. `tables` is a stream of tables only, read before.
///
/// # Errors
/// `Damaged`, `Unsupported`.
pub fn decode(bytes: &[u8], tables: Option<&[u8]>, colors: Colors) -> Outcome<Picture> {
    let mut stream = stream::Stream::default();
    if let Some(tables) = tables {
        stream.tables(tables)?;
    }
    let frame = stream.frame(bytes)?;
    let planes = frame.planes();
    let conversion = if colors == Colors::Keep { color::Conversion::None } else { stream.conversion(&frame) };
    let samples = upsample::interleave(&frame, &planes, conversion);
    Ok(Picture { components: frame.components.len(), samples, is_complete: stream.is_complete })
}
