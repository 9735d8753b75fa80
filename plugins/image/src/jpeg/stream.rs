//! Markers: tables, headers, and which colours the components have.

use super::{JpegError, Outcome, color::Conversion, damaged, frame::Frame, huffman::Table, scan};

/// What the headers say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// Columns.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// Samples of a pixel.
    pub components: usize,
    /// Whether there is an Adobe marker, as Pillow asks.
    pub adobe: bool,
}

/// Tables and markers seen so far.
#[derive(Default)]
pub struct Stream {
    pub(super) quantization: [Option<[u16; 64]>; 4],
    pub(super) dc: [Option<Table>; 4],
    pub(super) ac: [Option<Table>; 4],
    pub(super) restart_interval: usize,
    pub(super) is_complete: bool,
    has_jfif: bool,
    adobe_transform: Option<u8>,
}

/// Natural position of the coefficients in zigzag order.
pub const ZIGZAG: [u8; 64] = [
    0, 1, 8, 16, 9, 2, 3, 10, 17, 24, 32, 25, 18, 11, 4, 5, 12, 19, 26, 33, 40, 48, 41, 34, 27, 20, 13, 6, 7,
    14, 21, 28, 35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23, 30, 37, 44, 51, 58, 59, 52, 45, 38, 31, 39,
    46, 53, 60, 61, 54, 47, 55, 62, 63,
];

/// A marker, its body, and where the body ends.
struct Segment<'a> {
    marker: u8,
    body: &'a [u8],
    end: usize,
}

/// The next marker at or after `at`; `None` at the end of the bytes.
fn next_segment(bytes: &[u8], mut at: usize) -> Outcome<Option<Segment<'_>>> {
    loop {
        match (bytes.get(at), bytes.get(at + 1)) {
            (Some(0xff), Some(0xff)) => at += 1,
            (Some(0xff), Some(0x00)) => at += 2,
            (Some(0xff), Some(marker @ (0x01 | 0xd0..=0xd9))) => {
                return Ok(Some(Segment { marker: *marker, body: &[], end: at + 2 }));
            }
            (Some(0xff), Some(marker)) => {
                let Some(length) = bytes.get(at + 2..at + 4) else { return damaged("a marker is cut") };
                let length = usize::from(u16::from_be_bytes([length[0], length[1]]));
                let end = at + 2 + length.max(2);
                let Some(body) = bytes.get(at + 4..end) else { return damaged("a marker segment is cut") };
                return Ok(Some(Segment { marker: *marker, body, end }));
            }
            (Some(_), Some(_)) => at += 1,
            _ => return Ok(None),
        }
    }
}

const EOI: u8 = 0xd9;
const SOS: u8 = 0xda;

impl Stream {
    /// Reads a stream of tables only.
    ///
    /// # Errors
    /// `Damaged`.
    pub fn tables(&mut self, bytes: &[u8]) -> Outcome<()> {
        let mut at = 0;
        while let Some(segment) = next_segment(bytes, at)? {
            if matches!(segment.marker, EOI | SOS) {
                break;
            }
            self.table(&segment)?;
            at = segment.end;
        }
        Ok(())
    }

    /// Reads up to the frame.
    ///
    /// # Errors
    /// `Damaged`, `Unsupported`.
    pub fn header(&mut self, bytes: &[u8]) -> Outcome<Header> {
        if !bytes.starts_with(&[0xff, 0xd8]) {
            return damaged("not a JPEG stream");
        }
        let (mut at, mut header) = (2, None);
        while let Some(segment) = next_segment(bytes, at)? {
            at = segment.end;
            match segment.marker {
                SOS | EOI => break,
                _ => self.table(&segment)?,
            }
            if let Some(frame) = frame_of(&segment)? {
                let (width, height, components) = (frame.width, frame.height, frame.components.len());
                header = Some(Header { width, height, components, adobe: false });
            }
        }
        match header {
            Some(header) => Ok(Header { adobe: self.adobe_transform.is_some(), ..header }),
            None => damaged("there is no frame in it"),
        }
    }

    /// Decodes the coefficients of the frame.
    ///
    /// # Errors
    /// `Damaged`, `Unsupported`.
    pub fn frame(&mut self, bytes: &[u8]) -> Outcome<Frame> {
        let (mut at, mut frame) = (0, None::<Frame>);
        let mut decoded = false;
        while let Some(segment) = next_segment(bytes, at)? {
            at = segment.end;
            match segment.marker {
                EOI => {
                    self.is_complete = true;
                    break;
                }
                SOS => {
                    let Some(frame) = &mut frame else { return damaged("a scan comes before the frame") };
                    frame.allocate();
                    at = scan::decode(self, frame, segment.body, bytes, segment.end)?;
                    decoded = true;
                }
                _ => {
                    self.table(&segment)?;
                    if let Some(new) = frame_of(&segment)? {
                        if frame.is_some() {
                            return damaged("there are two frames in it");
                        }
                        frame = Some(new);
                    }
                }
            }
        }
        match frame {
            Some(frame) if decoded && frame.components.iter().all(|c| c.table.is_some()) => Ok(frame),
            Some(_) => damaged("a component has no data"),
            None => damaged("there is no frame in it"),
        }
    }

    /// What libjpeg makes of the components, by markers and by their names.
    pub fn conversion(&self, frame: &Frame) -> Conversion {
        let ids: Vec<u8> = frame.components.iter().map(|c| c.id).collect();
        match (ids.as_slice(), self.adobe_transform) {
            ([_, _, _], _) if self.has_jfif => Conversion::Rgb,
            ([_, _, _], Some(0)) => Conversion::None,
            ([_, _, _], Some(_)) => Conversion::Rgb,
            (b"RGB", None) => Conversion::None,
            ([_, _, _], None) => Conversion::Rgb,
            ([_, _, _, _], Some(2)) => Conversion::Cmyk,
            _ => Conversion::None,
        }
    }

    fn table(&mut self, segment: &Segment<'_>) -> Outcome<()> {
        let body = segment.body;
        match segment.marker {
            0xdb => self.quantization_tables(body),
            0xc4 => self.huffman_tables(body),
            0xdd => match body {
                [high, low, ..] => {
                    self.restart_interval = usize::from(u16::from_be_bytes([*high, *low]));
                    Ok(())
                }
                _ => damaged("the restart interval is cut"),
            },
            0xe0 if body.starts_with(b"JFIF\0") => {
                self.has_jfif = true;
                Ok(())
            }
            0xee if body.starts_with(b"Adobe") && body.len() >= 12 => {
                self.adobe_transform = body.get(11).copied();
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn quantization_tables(&mut self, mut body: &[u8]) -> Outcome<()> {
        while let [head, rest @ ..] = body {
            let (wide, id) = (head >> 4 != 0, usize::from(head & 15));
            let bytes = if wide { 128 } else { 64 };
            let (Some(values), Some(slot)) = (rest.get(..bytes), self.quantization.get_mut(id)) else {
                return damaged("a quantization table is cut");
            };
            let mut table = [0u16; 64];
            for (i, natural) in ZIGZAG.iter().enumerate() {
                table[usize::from(*natural)] = if wide {
                    u16::from_be_bytes([values[i * 2], values[i * 2 + 1]])
                } else {
                    u16::from(values[i])
                };
            }
            *slot = Some(table);
            body = rest.get(bytes..).unwrap_or_default();
        }
        Ok(())
    }

    fn huffman_tables(&mut self, mut body: &[u8]) -> Outcome<()> {
        while let [head, rest @ ..] = body {
            let Some((counts, rest)) = rest.split_first_chunk::<16>() else {
                return damaged("a Huffman table is cut");
            };
            let values: usize = counts.iter().map(|n| usize::from(*n)).sum();
            let Some(values) = rest.get(..values) else { return damaged("a Huffman table is cut") };
            let tables = if head >> 4 == 0 { &mut self.dc } else { &mut self.ac };
            let Some(slot) = tables.get_mut(usize::from(head & 15)) else {
                return damaged("a Huffman table has no such number");
            };
            *slot = Some(Table::new(counts, values)?);
            body = rest.get(values.len()..).unwrap_or_default();
        }
        Ok(())
    }
}

fn frame_of(segment: &Segment<'_>) -> Outcome<Option<Frame>> {
    match segment.marker {
        0xc0..=0xc2 => Frame::new(segment.body, segment.marker == 0xc2).map(Some),
        0xc3 | 0xc5..=0xc7 => {
            Err(JpegError::Unsupported("lossless and hierarchical JPEG are not supported".into()))
        }
        0xc9..=0xcb | 0xcd..=0xcf => {
            Err(JpegError::Unsupported("arithmetic-coded JPEG is not supported".into()))
        }
        _ => Ok(None),
    }
}
