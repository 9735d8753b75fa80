//! How fast a store is read, in slabs as the host asks for them:
//!
//! ```sh
//! TILED_STORE=folder.zarr cargo test --release -p tiled-plugin-zarr --test speed -- --ignored --nocapture
//! ```

use std::{path::Path, thread, time::Instant};

use tiled_plugin_api::{
    author::{Adapter, Context},
    model::{ArrayStructure, SliceDim},
    testing::open_path,
};
use tiled_zarr::ZarrReader;

const SLAB_BYTES: u64 = 64 << 20;

/// Reads everything once, slab by slab, and gives the bytes.
fn read_all(adapter: &dyn Adapter, structure: &ArrayStructure, slab_bytes: u64) -> u64 {
    let row = structure.nbytes().unwrap() / structure.shape[0];
    let rows = (slab_bytes / row).max(1);
    let mut out = vec![0; (rows * row) as usize];
    for start in (0..structure.shape[0]).step_by(rows as usize) {
        let count = rows.min(structure.shape[0] - start);
        let mut slice: Vec<SliceDim> = structure.shape.iter().map(|n| SliceDim::all(*n)).collect();
        slice[0] = SliceDim::range(start, count);
        adapter.read_into(&Context::unbounded(), "", &slice, &mut out[..(count * row) as usize]).unwrap();
    }
    structure.nbytes().unwrap()
}

#[test]
#[ignore = "needs a store of one's own"]
fn a_store_is_read_at_this_speed() {
    let store = std::env::var("TILED_STORE").unwrap();
    let adapter = &*open_path(&ZarrReader, "application/x-zarr", Path::new(&store)).unwrap();
    let structure = &adapter.describe("").unwrap().structure::<ArrayStructure>().unwrap();
    for (clients, slab) in [(1, SLAB_BYTES), (1, 4 << 20), (4, SLAB_BYTES / 4)] {
        let start = Instant::now();
        let bytes: u64 = thread::scope(|scope| {
            let all: Vec<_> =
                (0..clients).map(|_| scope.spawn(|| read_all(adapter, structure, slab))).collect();
            all.into_iter().map(|client| client.join().unwrap()).sum()
        });
        let speed = bytes as f64 / start.elapsed().as_secs_f64() / 1e9;
        println!("{store}: {clients} clients, slabs of {} MiB: {speed:.2} GB/s", slab >> 20);
    }
    let start = Instant::now();
    let revision = adapter.revision("").unwrap();
    println!("revision {revision:x} in {:?}", start.elapsed());
}

/// Seconds of the fastest of several runs.
fn fastest(mut run: impl FnMut()) -> f64 {
    let one = |_| {
        let start = Instant::now();
        run();
        start.elapsed().as_secs_f64()
    };
    (0..15).map(one).fold(f64::INFINITY, f64::min)
}

/// What the decompressor alone costs for a chunk of `TILED_STORE`, and what the whole read of it does. `TILED_CHUNK` is its
/// file, which must be one frame of zstd.
#[test]
#[ignore = "needs a store of one's own"]
fn reading_a_chunk_costs_little_more_than_decoding_it() {
    let store = std::env::var("TILED_STORE").unwrap();
    let path = Path::new(&store).join(std::env::var("TILED_CHUNK").unwrap());
    let adapter = &*open_path(&ZarrReader, "application/x-zarr", Path::new(&store)).unwrap();
    let structure = &adapter.describe("").unwrap().structure::<ArrayStructure>().unwrap();
    let slice: Vec<SliceDim> = structure.chunks.iter().map(|axis| SliceDim::all(axis[0])).collect();
    let len = slice.iter().map(|dim| dim.count).product::<u64>() * structure.data_type.itemsize();
    let mut out = vec![0; len as usize];
    let mut decoder = zstd::bulk::Decompressor::new().unwrap();
    let decoding = fastest(|| {
        let encoded = std::fs::read(&path).unwrap();
        decoder.decompress_to_buffer(&encoded, &mut out).unwrap();
    });
    let encoded = std::fs::read(&path).unwrap();
    let bare = fastest(|| assert!(decoder.decompress_to_buffer(&encoded, &mut out).is_ok()));
    let whole = fastest(|| adapter.read_into(&Context::unbounded(), "", &slice, &mut out).unwrap());
    let speed = |seconds: f64| len as f64 / seconds / 1e6;
    println!(
        "{store}: {:.0} MB/s decoder, {:.0} MB/s with the file, {:.0} MB/s whole",
        speed(bare),
        speed(decoding),
        speed(whole)
    );
}
