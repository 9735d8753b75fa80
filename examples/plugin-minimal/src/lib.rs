//! Reads text files of two columns (`.xy`, as many diffractometers write them) as an array of shape (rows, 2).

use tiled_plugin_api::prelude::*;

const MAX_BYTES: u64 = 256 << 20;

struct Xy;

struct OpenXy {
    rows: Vec<[f64; 2]>,
}

impl Reader for Xy {
    fn open(&self, _cx: &Context, request: OpenRequest) -> Result<Box<dyn Adapter>> {
        let source = request.source();
        let text = String::from_utf8(source.read_all(MAX_BYTES)?)
            .map_err(|_| Error::unsupported_format(format!("{}: not a text file", source.name())))?;
        let lines =
            text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty() && !line.starts_with('#'));
        let rows = lines
            .map(|(i, line)| {
                let numbers: Vec<f64> = line.split_whitespace().map_while(|word| word.parse().ok()).collect();
                <[f64; 2]>::try_from(numbers).map_err(|_| {
                    Error::invalid_data(format!("{}: line {}: two numbers expected", source.name(), i + 1))
                })
            })
            .collect::<Result<_>>()?;
        Ok(Box::new(OpenXy { rows }))
    }
}

impl Adapter for OpenXy {
    fn describe(&self, path: &str) -> Result<Description> {
        if !path.is_empty() {
            return Err(Error::not_found(format!("{path}: an .xy file has no nodes inside")));
        }
        let shape = vec![self.rows.len() as u64, 2];
        Description::new(
            StructureFamily::Array,
            &ArrayStructure::single_chunk(DataType::native(Kind::Float, 8), shape),
        )
    }

    fn read_into(&self, _cx: &Context, _path: &str, slice: &[SliceDim], out: &mut [u8]) -> Result<()> {
        let (rows, columns) = (slice[0], slice[1]);
        let places =
            (0..rows.count).flat_map(|r| (0..columns.count).map(move |c| (rows.at(r), columns.at(c))));
        for ((row, column), bytes) in places.zip(out.chunks_exact_mut(8)) {
            bytes.copy_from_slice(&self.rows[row as usize][column as usize].to_ne_bytes());
        }
        Ok(())
    }
}

tiled_plugin_api::export_plugin! {
    name: "xy",
    readers: [Xy => { mimetypes: ["text/x-xy"], extensions: [".xy"] }],
}
