//! One frame: its components, their coefficients, and the planes of samples that these become.

use super::{JpegError, Outcome, damaged, idct};

/// One component of the picture.
pub struct Component {
    /// As scans name it.
    pub id: u8,
    /// Sampling factor across.
    pub h: usize,
    /// Sampling factor down.
    pub v: usize,
    /// The quantization table, fixed when the component's first scan begins.
    pub table: Option<[u16; 64]>,
    /// Number of the quantization table.
    pub table_id: usize,
    /// Columns of samples that belong to the picture.
    pub width: usize,
    /// Rows of samples that belong to the picture.
    pub height: usize,
    /// Blocks that belong to the picture, across and down.
    pub blocks: (usize, usize),
    /// Blocks that are stored: whole MCUs.
    pub stored: (usize, usize),
    /// Coefficients in natural order.
    pub coefficients: Vec<[i16; 64]>,
}

/// The frame.
pub struct Frame {
    /// Columns.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// Largest sampling factor across.
    pub max_h: usize,
    /// Largest sampling factor down.
    pub max_v: usize,
    /// Whether it comes in several passes.
    pub progressive: bool,
    /// In the order of the frame.
    pub components: Vec<Component>,
}

/// Samples of a component.
pub struct Plane {
    /// Samples from one row to the next.
    pub stride: usize,
    /// Rows.
    pub samples: Vec<u8>,
}

/// As Pillow: more pixels are taken for a bomb.
const MAX_PIXELS: usize = 178_956_970;

impl Frame {
    /// Reads the body of an SOF segment.
    ///
    /// # Errors
    /// `Damaged`; `Unsupported` for other than 8 bits, and sampling factors that are no whole parts of the largest.
    pub fn new(body: &[u8], progressive: bool) -> Outcome<Self> {
        let [bits, y1, y0, x1, x0, count, rest @ ..] = body else {
            return damaged("the frame header is short");
        };
        if *bits != 8 {
            return Err(JpegError::Unsupported(format!("JPEG of {bits} bits is not supported")));
        }
        let (height, width) =
            (usize::from(u16::from_be_bytes([*y1, *y0])), usize::from(u16::from_be_bytes([*x1, *x0])));
        let specs = rest.as_chunks::<3>().0.get(..usize::from(*count)).unwrap_or_default();
        if specs.is_empty() || specs.len() > 4 || width == 0 || height == 0 {
            return damaged("the frame header makes no sense");
        }
        if width * height > MAX_PIXELS {
            return damaged(format!("{width} x {height} pixels are too many"));
        }
        let factors = specs.iter().map(|[_, hv, _]| (usize::from(hv >> 4), usize::from(hv & 15)));
        let (max_h, max_v) = factors.clone().fold((1, 1), |(h, v), (a, b)| (h.max(a), v.max(b)));
        if factors.clone().any(|(h, v)| !(1..=4).contains(&h) || !(1..=4).contains(&v)) {
            return damaged("a sampling factor makes no sense");
        }
        if factors.clone().any(|(h, v)| max_h % h != 0 || max_v % v != 0) {
            return Err(JpegError::Unsupported("JPEG with fractional sampling is not supported".into()));
        }
        let mut frame = Frame { width, height, max_h, max_v, progressive, components: vec![] };
        for [id, hv, table] in specs {
            frame.add(*id, usize::from(hv >> 4), usize::from(hv & 15), usize::from(*table));
        }
        Ok(frame)
    }

    fn add(&mut self, id: u8, h: usize, v: usize, table_id: usize) {
        let (width, height) = ((self.width * h).div_ceil(self.max_h), (self.height * v).div_ceil(self.max_v));
        let (across, down) = self.mcus();
        let stored = (across * h, down * v);
        self.components.push(Component {
            id,
            h,
            v,
            table: None,
            table_id,
            width,
            height,
            blocks: (width.div_ceil(8), height.div_ceil(8)),
            stored,
            coefficients: vec![],
        });
    }

    /// MCUs across and down of an interleaved scan.
    pub fn mcus(&self) -> (usize, usize) {
        (self.width.div_ceil(8 * self.max_h), self.height.div_ceil(8 * self.max_v))
    }

    /// Makes room for coefficients. Done when the first scan begins, so that a header alone costs nothing.
    pub fn allocate(&mut self) {
        for component in &mut self.components {
            component.coefficients.resize(component.stored.0 * component.stored.1, [0; 64]);
        }
    }

    /// Samples of all components.
    pub fn planes(&self) -> Vec<Plane> {
        self.components.iter().map(plane).collect()
    }
}

fn plane(component: &Component) -> Plane {
    let stride = component.stored.0 * 8;
    let mut samples = vec![0; stride * component.stored.1 * 8];
    let table = component.table.unwrap_or([1; 64]);
    let mut block = [[0u8; 8]; 8];
    for (row, blocks) in samples
        .chunks_exact_mut((stride * 8).max(1))
        .zip(component.coefficients.chunks_exact(component.stored.0.max(1)))
    {
        for (x, coefficients) in blocks.iter().enumerate() {
            idct::block(coefficients, &table, &mut block);
            for (line, values) in row.chunks_exact_mut(stride).zip(&block) {
                line[x * 8..x * 8 + 8].copy_from_slice(values);
            }
        }
    }
    Plane { stride, samples }
}
