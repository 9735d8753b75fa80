//! Writes down all that is served of some files, for `reference/compare.py` beside this file to compare with astropy:
//!
//! ```sh
//! TILED_FILES=files.txt TILED_DUMP=folder cargo test --release -p tiled-plugin-fits --test reference -- --ignored
//! python tests/reference/compare.py folder
//! ```

use std::{fs, path::Path};

use serde_json::{Value, json};
use tiled_fits::FitsReader;
use tiled_plugin_api::{
    author::{Adapter, Reader},
    model::{ArrayStructure, ChildrenRequest, SliceDim, StructureFamily},
    testing::{open_path, read_slice, tables},
};

const MAX_BYTES: u64 = 256 << 20;

/// One line per node.
struct Dump<'a> {
    folder: &'a Path,
    file: &'a str,
    lines: Vec<String>,
    random: u64,
}

impl Dump<'_> {
    fn line(&mut self, node: &str, mut what: Value) {
        what["file"] = json!(self.file);
        what["node"] = json!(node);
        self.lines.push(what.to_string());
    }

    fn random(&mut self, below: u64) -> u64 {
        self.random =
            self.random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.random >> 33) % below.max(1)
    }

    fn slice(&mut self, shape: &[u64], number: u64) -> Vec<SliceDim> {
        let part = |n: u64, dump: &mut Self| {
            if number == 0 || n == 0 {
                return SliceDim::all(n);
            }
            let (start, step) = (dump.random(n), 1 + dump.random(3));
            if dump.random(3) == 0 {
                let count = 1 + dump.random(start / step + 1);
                return SliceDim { start, step: -(step as i64), count };
            }
            SliceDim { start, step: step as i64, count: 1 + dump.random((n - 1 - start) / step + 1) }
        };
        shape.iter().map(|n| part(*n, self)).collect()
    }

    fn array(&mut self, adapter: &dyn Adapter, path: &str, structure: &ArrayStructure) -> Value {
        let mut reads = vec![];
        for number in 0..6 {
            let slice = self.slice(&structure.shape, number);
            let bytes = slice.iter().map(|s| s.count).product::<u64>() * structure.data_type.itemsize();
            if bytes > MAX_BYTES {
                continue;
            }
            let dims: Vec<_> = slice.iter().map(|s| (s.start, s.step, s.count)).collect();
            match read_slice(adapter, path, &slice) {
                Err(error) => reads.push(json!({"slice": dims, "error": error.to_string()})),
                Ok(values) => {
                    let name = format!("{:x}.bin", self.random(1 << 31) << 20 | self.lines.len() as u64);
                    fs::write(self.folder.join(&name), values).unwrap();
                    reads.push(json!({"slice": dims, "values": name}));
                }
            }
        }
        json!(reads)
    }

    fn node(&mut self, adapter: &dyn Adapter, path: &str) {
        let description = match adapter.describe(path) {
            Ok(description) => description,
            Err(error) => return self.line(path, json!({"error": error.to_string()})),
        };
        let mut what = json!({"description": description});
        if description.structure_family == StructureFamily::Array {
            what["reads"] = self.array(adapter, path, &description.structure().unwrap());
        }
        if description.structure_family == StructureFamily::Table {
            let name = format!("{:x}.arrow", self.random(1 << 31) << 20 | self.lines.len() as u64);
            what["rows"] = match tables::dump(adapter, path, &self.folder.join(&name)) {
                Ok(()) => json!(name),
                Err(error) => json!({"error": error.to_string()}),
            };
        }
        self.line(path, what);
        if description.structure_family == StructureFamily::Container {
            let request = ChildrenRequest { offset: 0, limit: 1000, keys_only: false };
            for child in adapter.children(path, &request).unwrap().items {
                let path = if path.is_empty() { child.key } else { format!("{path}/{}", child.key) };
                match child.broken {
                    Some(why) => self.line(&path, json!({"broken": why})),
                    None => self.node(adapter, &path),
                }
            }
        }
    }
}

#[test]
#[ignore = "needs files of one's own"]
fn what_is_served_is_written_down() {
    let files = fs::read_to_string(std::env::var("TILED_FILES").unwrap()).unwrap();
    let folder = std::env::var("TILED_DUMP").unwrap();
    fs::create_dir_all(&folder).unwrap();
    let mut lines = vec![];
    for (number, file) in files.lines().enumerate() {
        let random = number as u64 + 1;
        let mut dump = Dump { folder: Path::new(&folder), file, lines: std::mem::take(&mut lines), random };
        let reader: &dyn Reader = &FitsReader;
        match open_path(reader, "", Path::new(file)) {
            Ok(adapter) => dump.node(&*adapter, ""),
            Err(error) => dump.line("", json!({"error": error.to_string()})),
        }
        lines = dump.lines;
    }
    fs::write(Path::new(&folder).join("nodes.jsonl"), lines.join("\n")).unwrap();
}
