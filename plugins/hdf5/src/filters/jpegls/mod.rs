//! fcidecomp (filter 32018): images as JPEG-LS (ISO/IEC 14495-1), lossless and near-lossless.
//!
//! A chunk is one JPEG-LS stream: a frame header, then one scan for all components or one for each. The sizes in the
//! stream are checked against the chunk before anything is decoded.

mod bits;
mod scan;

use tiled_plugin_api::author::{Error, Result};

use self::scan::{Coding, Line};
use super::{head, truncated};

/// Markers of JPEG, of which JPEG-LS uses these.
const START_OF_FRAME: u8 = 0xf7;
const PARAMETERS: u8 = 0xf8;
const START_OF_SCAN: u8 = 0xda;
const END: u8 = 0xd9;

fn damaged(what: &str) -> Error {
    Error::invalid_data(format!("the JPEG-LS stream is damaged: {what}"))
}

fn be_u16(bytes: &[u8], at: usize) -> Result<usize> {
    let pair = bytes.get(at..).and_then(|bytes| bytes.first_chunk::<2>()).ok_or_else(truncated)?;
    Ok(usize::from(u16::from_be_bytes(*pair)))
}

/// The frame header.
struct Frame {
    precision: u32,
    lines: usize,
    samples: usize,
    components: usize,
}

impl Frame {
    fn parse(body: &[u8]) -> Result<Frame> {
        let (precision, components) = (body.first().copied(), body.get(5).copied());
        let (Some(precision), Some(components)) = (precision, components) else { return Err(truncated()) };
        let frame = Frame {
            precision: precision.into(),
            lines: be_u16(body, 1)?,
            samples: be_u16(body, 3)?,
            components: components.into(),
        };
        if !(2..=16).contains(&frame.precision) || frame.components == 0 {
            return Err(damaged("its header has an odd precision or no component"));
        }
        Ok(frame)
    }

    fn sample_bytes(&self) -> usize {
        if self.precision > 8 { 2 } else { 1 }
    }

    /// Bytes of one component.
    fn plane(&self) -> usize {
        self.lines * self.samples * self.sample_bytes()
    }
}

/// Bytes that the frame header announces.
pub fn content_size(input: &[u8]) -> Option<u64> {
    let mut segments = Segments { bytes: input, at: 2 };
    while let Ok(Some((marker, body))) = segments.next() {
        if marker == START_OF_FRAME {
            let frame = Frame::parse(body).ok()?;
            return Some((frame.plane() * frame.components) as u64);
        }
    }
    None
}

/// The marker segments of a stream.
struct Segments<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Segments<'a> {
    /// Marker and body; `None` at the end.
    fn next(&mut self) -> Result<Option<(u8, &'a [u8])>> {
        // Fill bytes may stand before a marker.
        while self.bytes.get(self.at) == Some(&0xff) && self.bytes.get(self.at + 1) == Some(&0xff) {
            self.at += 1;
        }
        if self.bytes.get(self.at) != Some(&0xff) {
            return Err(if self.at >= self.bytes.len() {
                truncated()
            } else {
                damaged("a marker is missing")
            });
        }
        let marker = *self.bytes.get(self.at + 1).ok_or_else(truncated)?;
        if marker == END {
            return Ok(None);
        }
        let length = be_u16(self.bytes, self.at + 2)?;
        let body = self.bytes.get(self.at + 4..self.at + 2 + length).ok_or_else(truncated)?;
        self.at += 2 + length;
        Ok(Some((marker, body)))
    }
}

/// Decodes one stream and says how many bytes it gave: components one behind the other, samples little endian.
///
/// # Errors
/// `InvalidData` when it is damaged, truncated, or does not fit into `out`; `UnsupportedFormat` for interleaved
/// components.
pub fn decode(input: &[u8], out: &mut [u8]) -> Result<usize> {
    if !input.starts_with(&[0xff, 0xd8]) {
        return Err(damaged("it does not begin as one"));
    }
    let mut segments = Segments { bytes: input, at: 2 };
    let (mut frame, mut given) = (None, [0; 5]);
    let mut done = 0;
    while let Some((marker, body)) = segments.next()? {
        match marker {
            START_OF_FRAME => frame = Some(Frame::parse(body)?),
            PARAMETERS if body.first() == Some(&1) => {
                for (place, at) in given.iter_mut().zip((1..).step_by(2)) {
                    *place = be_u16(body, at)? as i32;
                }
            }
            START_OF_SCAN => {
                let frame = frame.as_ref().ok_or_else(|| damaged("a scan before the header"))?;
                let out = head(out, frame.plane() * frame.components)?;
                let plane = out.get_mut(done * frame.plane()..(done + 1) * frame.plane());
                let plane = plane.ok_or_else(|| damaged("it has more scans than components"))?;
                segments.at += scan(frame, given, body, &input[segments.at..], plane)?;
                done += 1;
            }
            _ => {}
        }
    }
    match frame {
        Some(frame) if done == frame.components => Ok(frame.plane() * frame.components),
        _ => Err(truncated()),
    }
}

/// Decodes the scan of one component and says how many bytes it took.
fn scan(frame: &Frame, given: [i32; 5], header: &[u8], input: &[u8], plane: &mut [u8]) -> Result<usize> {
    let [components, .., near, interleave, _] = header else { return Err(truncated()) };
    if *components != 1 || *interleave != 0 {
        return Err(Error::unsupported_format("JPEG-LS with interleaved components"));
    }
    let coding = Coding::new(frame.precision, i32::from(*near), given)?;
    let mut line = Line::new(coding, frame.samples, input);
    let item = frame.sample_bytes();
    for row in plane.chunks_exact_mut((frame.samples * item).max(1)) {
        for (place, sample) in row.chunks_exact_mut(item).zip(line.next()?) {
            place.copy_from_slice(&(*sample as u16).to_le_bytes()[..item]);
        }
    }
    Ok(line.taken())
}
