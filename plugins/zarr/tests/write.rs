//! What is written is what is read: against an array in memory, over random shapes, chunks, regions and extensions; what
//! crashes and damaged files do; several writers at a time.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{Arc, Barrier},
    thread,
};

use serde_json::{Map, Value, json};
use tempfile::TempDir;
use tiled_plugin_api::{
    author::{
        Adapter, Context, CreateRequest, Error, ErrorKind, OpenRequest, OwnedBuffer, Payload, Reader, Result,
        Slab, SlabStream, Slabs, Storage, WriteRequest, Writer,
    },
    model::{ArrayStructure, DataType, Field, SliceDim, StructureFamily, chunks_of},
    testing::{one_slab, open_request, read_array, read_slice},
};
use tiled_zarr::{ZarrReader, ZarrWriter};

const MIMETYPE: &str = "application/x-zarr";

/// The numbers of a linear congruential generator: the same in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % n.max(1)
    }

    fn bytes(&mut self, len: usize) -> Vec<u8> {
        (0..len).map(|_| self.below(256) as u8).collect()
    }
}

fn dtype(text: &str) -> DataType {
    DataType::from_numpy_str(text).unwrap()
}

fn structure(data_type: DataType, chunks: Vec<Vec<u64>>) -> ArrayStructure {
    let shape = chunks.iter().map(|axis| axis.iter().sum()).collect();
    ArrayStructure { data_type, chunks, shape, dims: None, resizable: false }
}

fn create(path: &Path, structure: &ArrayStructure) -> Result<()> {
    let request = CreateRequest {
        mimetype: MIMETYPE.into(),
        structure_family: StructureFamily::Array,
        structure: serde_json::to_value(structure).unwrap(),
        parameters: Map::new(),
        storage_uri: format!("file://localhost{}", path.display()),
    };
    let created = ZarrWriter.create(&Context::unbounded(), &request)?;
    assert_eq!(created.assets[0].data_uri, request.storage_uri);
    Ok(())
}

fn request(path: &Path, structure: &ArrayStructure) -> OpenRequest {
    let mut request = open_request(MIMETYPE, &[path]).unwrap();
    request.structure = Some(serde_json::to_value(structure).unwrap());
    request
}

fn storage(path: &Path, structure: &ArrayStructure) -> Box<dyn Storage> {
    ZarrWriter.open(&Context::unbounded(), request(path, structure)).unwrap()
}

fn adapter(path: &Path, structure: &ArrayStructure) -> Box<dyn Adapter> {
    ZarrReader.open(&Context::unbounded(), request(path, structure)).unwrap()
}

fn region(start: &[u64], count: &[u64]) -> Vec<SliceDim> {
    start.iter().zip(count).map(|(start, count)| SliceDim::range(*start, *count)).collect()
}

fn everything(structure: &ArrayStructure) -> Vec<SliceDim> {
    structure.shape.iter().map(|n| SliceDim::all(*n)).collect()
}

/// Writes a region in one slab, prepared and committed.
fn write(
    storage: &dyn Storage,
    slice: &[SliceDim],
    bytes: Vec<u8>,
    extend_to: Option<Vec<u64>>,
) -> Result<Option<Value>> {
    let rows = slice.first().map_or(1, |dim| dim.count);
    let request = WriteRequest { extend_to, ..WriteRequest::default() };
    let changed = storage.write(&Context::unbounded(), &request, slice, one_slab(rows, bytes))?;
    storage.prepare()?;
    storage.commit()?;
    Ok(changed)
}

/// All files below a folder.
fn files_of(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = vec![];
    for entry in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        if entry.is_dir() { files.extend(files_of(&entry)) } else { files.push(entry) }
    }
    files.sort();
    files
}

fn leftovers(folder: &Path) -> usize {
    files_of(folder).iter().filter(|file| file.extension().is_some_and(|end| end == "part")).count()
}

/// An array in memory.
#[derive(Clone)]
struct Model {
    item: usize,
    shape: Vec<u64>,
    bytes: Vec<u8>,
}

impl Model {
    fn new(item: usize, shape: &[u64], fill: &[u8]) -> Self {
        let elements: u64 = shape.iter().product();
        Model { item, shape: shape.to_vec(), bytes: fill.repeat(elements as usize) }
    }

    /// Calls `visit` with the places of each element of the region: in this array, and in the region.
    fn each(&self, slice: &[SliceDim], mut visit: impl FnMut(usize, usize)) {
        let total: u64 = slice.iter().map(|dim| dim.count).product();
        for number in 0..total {
            let (mut left, mut at, mut stride) = (number, 0, 1);
            for (dim, length) in slice.iter().zip(&self.shape).rev() {
                at += (dim.start + left % dim.count) * stride;
                left /= dim.count;
                stride *= length;
            }
            visit(at as usize * self.item, number as usize * self.item);
        }
    }

    fn write(&mut self, slice: &[SliceDim], bytes: &[u8]) {
        let (mut all, item) = (std::mem::take(&mut self.bytes), self.item);
        self.each(slice, |to, from| all[to..][..item].copy_from_slice(&bytes[from..][..item]));
        self.bytes = all;
    }

    fn extend(&mut self, shape: &[u64], fill: &[u8]) {
        let old = std::mem::replace(self, Model::new(self.item, shape, fill));
        let slice: Vec<SliceDim> = old.shape.iter().map(|n| SliceDim::all(*n)).collect();
        self.write(&slice, &old.bytes);
    }

    fn len_of(&self, slice: &[SliceDim]) -> usize {
        slice.iter().map(|dim| dim.count as usize).product::<usize>() * self.item
    }
}

fn random_chunks(random: &mut Random, length: u64) -> Vec<u64> {
    let mut chunks = vec![];
    let mut left = length;
    while left > 0 {
        let n = 1 + random.below(left.min(6));
        chunks.push(n);
        left -= n;
    }
    if chunks.is_empty() { vec![0] } else { chunks }
}

/// Regions and extensions at random, on a store of this metadata file or on a new one.
fn check_random(seed: u64, path: &Path, mut structure: ArrayStructure, fill: &[u8], can_extend: bool) {
    let mut random = Random(seed);
    let item = structure.data_type.itemsize() as usize;
    let mut model = Model::new(item, &structure.shape, fill);
    assert!(read_array(&*adapter(path, &structure), "").unwrap() == model.bytes, "seed {seed}: new");
    for step in 0..8 {
        let extends = can_extend && random.below(3) == 0;
        let shape: Vec<u64> =
            structure.shape.iter().map(|n| n + if extends { random.below(5) } else { 0 }).collect();
        let slice: Vec<SliceDim> = shape
            .iter()
            .map(|n| {
                let start = random.below(*n);
                if random.below(4) == 0 {
                    SliceDim::all(*n)
                } else {
                    SliceDim::range(start, random.below(n - start + 1))
                }
            })
            .collect();
        let bytes = random.bytes(model.len_of(&slice));
        if extends {
            model.extend(&shape, fill);
        }
        model.write(&slice, &bytes);
        let changed =
            write(&*storage(path, &structure), &slice, bytes, extends.then(|| shape.clone())).unwrap();
        assert_eq!(changed.is_some(), shape != structure.shape);
        if let Some(changed) = changed {
            structure = serde_json::from_value(changed).unwrap();
            assert_eq!(structure.shape, shape);
        }
        let read = adapter(path, &structure);
        assert!(read_array(&*read, "").unwrap() == model.bytes, "seed {seed}, step {step}: {slice:?}");
        let part = random.below(*shape.first().unwrap_or(&1));
        let mut slice = everything(&structure);
        if let Some(first) = slice.first_mut().filter(|first| first.count > 0) {
            *first = SliceDim::range(part, 1);
            let mut want = vec![0; model.len_of(&slice)];
            model.each(&slice, |from, to| want[to..][..item].copy_from_slice(&model.bytes[from..][..item]));
            assert!(read_slice(&*read, "", &slice).unwrap() == want, "seed {seed}, step {step}: a row");
        }
    }
    assert_eq!(leftovers(path), 0);
}

#[test]
fn regions_and_extensions_of_new_arrays_are_those_of_an_array_in_memory() {
    let folder = tempfile::tempdir().unwrap();
    let types = ["<f8", ">i4", "|u1", "|S3", "<U2", ">U2", "<c16", ">f2", "|V5", "<f16", ">c8"];
    for seed in 0..33 {
        let mut random = Random(seed * 7919);
        let chunks: Vec<Vec<u64>> = (0..random.below(4))
            .map(|_| {
                let length = random.below(14);
                random_chunks(&mut random, length)
            })
            .collect();
        let structure = structure(dtype(types[(seed as usize) % types.len()]), chunks);
        let path = folder.path().join(format!("new/{seed}"));
        create(&path, &structure).unwrap();
        let fill = vec![0; structure.data_type.itemsize() as usize];
        check_random(seed, &path, structure, &fill, true);
    }
}

/// A store with this metadata file.
fn store(folder: &TempDir, name: &str, marker: &str, meta: Value) -> PathBuf {
    let path = folder.path().join(name);
    fs::create_dir_all(&path).unwrap();
    fs::write(path.join(marker), meta.to_string()).unwrap();
    path
}

#[test]
fn arrays_of_version_2_with_every_codec_are_written() {
    let folder = tempfile::tempdir().unwrap();
    let blosc = |cname: &str, shuffle| json!({"id": "blosc", "cname": cname, "clevel": 5, "shuffle": shuffle, "blocksize": 0});
    let codecs = [
        (json!(null), json!(null)),
        (blosc("lz4", 1), json!(null)),
        (blosc("zstd", 2), json!(null)),
        (blosc("blosclz", 0), json!(null)),
        (blosc("lz4hc", -1), json!(null)),
        (blosc("zlib", 1), json!(null)),
        (blosc("snappy", 1), json!(null)),
        (json!({"id": "zstd", "level": 1}), json!(null)),
        (json!({"id": "gzip", "level": 1}), json!(null)),
        (json!({"id": "zlib", "level": 1}), json!(null)),
        (json!({"id": "bz2", "level": 1}), json!(null)),
        (json!({"id": "lz4", "acceleration": 1}), json!(null)),
        (json!({"id": "lzma", "format": 1, "check": -1, "preset": null, "filters": null}), json!(null)),
        (json!({"id": "lzma", "format": 2, "check": -1, "preset": 1, "filters": null}), json!(null)),
        (json!(null), json!([{"id": "delta", "dtype": "<i4"}, {"id": "shuffle", "elementsize": 4}])),
        (json!(null), json!([{"id": "crc32"}, {"id": "adler32"}, {"id": "fletcher32"}, {"id": "crc32c"}])),
    ];
    for (at, (compressor, filters)) in codecs.into_iter().enumerate() {
        for (order, separator, dtype_text, fill) in [("C", ".", "<i4", 7), ("F", "/", ">i4", -2)] {
            let filters = if dtype_text == ">i4" && at == 14 {
                json!([{"id": "delta", "dtype": ">i4"}])
            } else {
                filters.clone()
            };
            let meta = json!({"zarr_format": 2, "shape": [9, 7], "chunks": [4, 3], "dtype": dtype_text, "order": order,
                "compressor": compressor, "filters": filters, "fill_value": fill, "dimension_separator": separator});
            let path = store(&folder, &format!("{at}{order}"), ".zarray", meta);
            let data_type = dtype(dtype_text);
            let fill = if order == "C" { i32::to_le_bytes(fill) } else { i32::to_be_bytes(fill) };
            let structure = ArrayStructure::chunked(data_type, vec![9, 7], &[4, 3]);
            check_random(at as u64, &path, structure, &fill, true);
        }
    }
}

fn v3(chunk_shape: &[u64], codecs: Value, dtype: &str) -> Value {
    json!({"zarr_format": 3, "node_type": "array", "shape": [9, 10], "data_type": dtype, "fill_value": 3,
        "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": chunk_shape}},
        "chunk_key_encoding": {"name": "default", "configuration": {"separator": "/"}}, "codecs": codecs,
        "attributes": {"kept": 1}})
}

#[test]
fn arrays_of_version_3_sharded_and_transposed_are_written() {
    let folder = tempfile::tempdir().unwrap();
    let little = json!({"name": "bytes", "configuration": {"endian": "little"}});
    let big = json!({"name": "bytes", "configuration": {"endian": "big"}});
    let zstd = json!({"name": "zstd", "configuration": {"level": 0, "checksum": true}});
    let transpose = json!({"name": "transpose", "configuration": {"order": [1, 0]}});
    let crc = json!({"name": "crc32c"});
    let shards = |codecs: Value, location: &str| {
        json!({"name": "sharding_indexed", "configuration": {"chunk_shape": [2, 3], "codecs": codecs,
            "index_codecs": [little, crc], "index_location": location}})
    };
    let chains = [
        json!([little, zstd]),
        json!([big]),
        json!([transpose, little, {"name": "gzip", "configuration": {"level": 1}}, crc]),
        json!([little, {"name": "blosc", "configuration": {"cname": "lz4", "clevel": 5, "shuffle": "shuffle", "typesize": 4, "blocksize": 0}}]),
        json!([shards(json!([little, zstd]), "end")]),
        json!([shards(json!([transpose, big]), "start")]),
        json!([transpose, {"name": "sharding_indexed", "configuration": {"chunk_shape": [3, 2], "codecs": [little],
            "index_codecs": [big], "index_location": "end"}}]),
    ];
    for (at, codecs) in chains.into_iter().enumerate() {
        let path = store(&folder, &at.to_string(), "zarr.json", v3(&[4, 6], codecs, "int32"));
        let structure = ArrayStructure::chunked(dtype("<i4"), vec![9, 10], &[4, 6]);
        check_random(at as u64, &path, structure, &3i32.to_le_bytes(), true);
        let meta: Value = serde_json::from_slice(&fs::read(path.join("zarr.json")).unwrap()).unwrap();
        assert_eq!(meta["attributes"], json!({"kept": 1}));
    }
}

#[test]
fn records_are_kept_with_the_byte_order_of_each_field() {
    let folder = tempfile::tempdir().unwrap();
    let mut pair = Field::new("pair", dtype(">i2"));
    let plain =
        vec![Field::new("a", dtype(">f8")), Field::new("b", dtype("<i4")), Field::new("c", dtype(">U2"))];
    let nested = vec![Field::new("x", DataType::record(plain.clone())), Field::new("y", dtype("|S1"))];
    pair.shape = Some(vec![2]);
    for (at, fields) in [plain, nested, vec![pair, Field::new("z", dtype("|b1"))]].into_iter().enumerate() {
        let structure = structure(DataType::record(fields), vec![vec![3, 2], vec![2]]);
        let path = folder.path().join(at.to_string());
        create(&path, &structure).unwrap();
        let fill = vec![0; structure.data_type.itemsize() as usize];
        check_random(at as u64, &path, structure, &fill, true);
    }
}

struct Several(Vec<Slab>);

impl SlabStream for Several {
    fn next(&mut self) -> Result<Option<Slab>> {
        Ok(if self.0.is_empty() { None } else { Some(self.0.remove(0)) })
    }
}

#[test]
fn slabs_of_any_length_make_the_same_array() {
    let folder = tempfile::tempdir().unwrap();
    let structure = structure(dtype("<i2"), vec![vec![4, 4, 3], vec![3, 2]]);
    let mut random = Random(5);
    for (at, rows) in
        [vec![11], vec![1; 11], vec![3, 5, 3], vec![7, 4], vec![0, 10, 1, 0]].into_iter().enumerate()
    {
        let path = folder.path().join(at.to_string());
        create(&path, &structure).unwrap();
        let bytes = random.bytes(11 * 5 * 2);
        let mut rest = bytes.as_slice();
        let slabs = rows.iter().map(|rows| {
            let (slab, left) = rest.split_at(rows * 10);
            rest = left;
            Slab { rows: *rows as u64, bytes: OwnedBuffer::from_vec(slab.to_vec()) }
        });
        let payload = Payload::Array(Slabs::new(Several(slabs.collect())));
        let storage = storage(&path, &structure);
        storage
            .write(&Context::unbounded(), &WriteRequest::default(), &everything(&structure), payload)
            .unwrap();
        storage.commit().unwrap();
        assert_eq!(read_array(&*adapter(&path, &structure), "").unwrap(), bytes, "{rows:?}");
    }
}

#[test]
fn an_extension_has_the_chunks_of_the_store_and_keeps_what_was_there() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a");
    let old = structure(dtype("|u1"), vec![vec![2, 2], vec![3]]);
    create(&path, &old).unwrap();
    write(&*storage(&path, &old), &everything(&old), vec![1; 12], None).unwrap();
    let slice = region(&[4, 0], &[2, 4]);
    let changed = write(&*storage(&path, &old), &slice, vec![2; 8], Some(vec![6, 4])).unwrap().unwrap();
    assert_eq!(changed["chunks"], json!([[2, 2, 2], [3, 1]]));
    let new: ArrayStructure = serde_json::from_value(changed).unwrap();
    let got = read_array(&*adapter(&path, &new), "").unwrap();
    assert_eq!(got, [[1, 1, 1, 0]; 4].concat().into_iter().chain([2; 8]).collect::<Vec<u8>>());
    // A catalog that did not hear of it still serves what it knows.
    assert_eq!(read_array(&*adapter(&path, &old), "").unwrap(), [1; 12]);
}

#[test]
fn nothing_is_seen_before_the_commit_and_nothing_is_left_after_an_abort() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a");
    let of = structure(dtype("|u1"), vec![vec![4, 4]]);
    create(&path, &of).unwrap();
    write(&*storage(&path, &of), &everything(&of), vec![1; 8], None).unwrap();
    let before: Vec<Vec<u8>> = files_of(&path).iter().map(|file| fs::read(file).unwrap()).collect();
    let (cx, slice) = (Context::unbounded(), region(&[0], &[9]));
    let extended = WriteRequest { extend_to: Some(vec![9]), ..WriteRequest::default() };
    let storage = storage(&path, &of);
    storage.write(&cx, &extended, &slice, one_slab(9, vec![2; 9])).unwrap();
    storage.prepare().unwrap();
    assert_eq!(read_array(&*adapter(&path, &of), "").unwrap(), [1; 8]);
    storage.abort().unwrap();
    assert_eq!(files_of(&path).iter().map(|file| fs::read(file).unwrap()).collect::<Vec<_>>(), before);
    storage.write(&cx, &extended, &slice, one_slab(9, vec![2; 9])).unwrap();
    drop(storage);
    assert_eq!(files_of(&path).len(), before.len());
}

#[test]
fn writers_of_disjoint_parts_of_one_chunk_lose_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a");
    // Stored in chunks of 16: four writers share each.
    let of = structure(dtype("<u4"), vec![vec![16, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4]]);
    create(&path, &of).unwrap();
    for round in 0..6u32 {
        let (barrier, of, path) = (Arc::new(Barrier::new(16)), &of, &path);
        thread::scope(|scope| {
            for writer in 0..16u32 {
                let barrier = barrier.clone();
                scope.spawn(move || {
                    let bytes = (0..4).flat_map(|i| (round * 1000 + writer * 10 + i).to_le_bytes()).collect();
                    let slice = region(&[16 + u64::from(writer) * 4], &[4]);
                    let storage = storage(path, of);
                    barrier.wait();
                    let request = WriteRequest::default();
                    storage.write(&Context::unbounded(), &request, &slice, one_slab(4, bytes)).unwrap();
                    // All have read before the first commits.
                    barrier.wait();
                    storage.prepare().unwrap();
                    storage.commit().unwrap();
                });
            }
        });
        let got = read_array(&*adapter(path, of), "").unwrap();
        let want: Vec<u8> = (0..16)
            .flat_map(|writer| (0..4).flat_map(move |i| (round * 1000 + writer * 10 + i).to_le_bytes()))
            .collect();
        assert_eq!(got[64..], want, "round {round}");
    }
    assert_eq!(leftovers(&path), 0);
}

#[test]
fn a_damaged_chunk_refuses_a_part_and_takes_a_whole() {
    let folder = tempfile::tempdir().unwrap();
    let of = structure(dtype("<f8"), vec![vec![4, 4]]);
    for (name, cut) in [("zstd", 5usize), ("empty", 0)] {
        let path = folder.path().join(name);
        create(&path, &of).unwrap();
        write(&*storage(&path, &of), &everything(&of), vec![1; 64], None).unwrap();
        let chunk = path.join("c/1");
        let bytes = fs::read(&chunk).unwrap();
        fs::write(&chunk, &bytes[..cut]).unwrap();
        let error = write(&*storage(&path, &of), &region(&[5], &[2]), vec![2; 16], None).unwrap_err();
        assert_eq!(error.kind, ErrorKind::InvalidData, "{error}");
        assert!(error.message.contains("c/1"), "{error}");
        assert_eq!(fs::read(&chunk).unwrap(), &bytes[..cut]);
        write(&*storage(&path, &of), &region(&[4], &[4]), vec![2; 32], None).unwrap();
        assert_eq!(read_array(&*adapter(&path, &of), "").unwrap()[32..], [2; 32]);
    }
}

fn refusal(result: Result<impl Sized>) -> (ErrorKind, String) {
    match result {
        Ok(_) => panic!("it was not refused"),
        Err(Error { kind, message, .. }) => (kind, message),
    }
}

#[test]
fn what_does_not_fit_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a");
    let of = structure(dtype("<f8"), vec![vec![4, 2]]);
    create(&path, &of).unwrap();
    assert_eq!(refusal(create(&path, &of)).0, ErrorKind::Conflict);
    let storage = storage(&path, &of);
    let refused = |slice: &[SliceDim], len, to| refusal(write(&*storage, slice, vec![0; len], to)).0;
    assert_eq!(refused(&region(&[0], &[6]), 47, None), ErrorKind::InvalidArgument);
    assert_eq!(refused(&region(&[0], &[6]), 56, None), ErrorKind::InvalidArgument);
    assert_eq!(refused(&region(&[0], &[6]), 40, None), ErrorKind::InvalidArgument);
    assert_eq!(refused(&region(&[0], &[7]), 56, None), ErrorKind::Conflict);
    assert_eq!(refused(&region(&[u64::MAX], &[2]), 16, None), ErrorKind::Conflict);
    assert_eq!(refused(&region(&[0, 0], &[1, 1]), 8, None), ErrorKind::Conflict);
    assert_eq!(refused(&region(&[0], &[1]), 8, Some(vec![5])), ErrorKind::InvalidArgument);
    assert_eq!(refused(&region(&[0], &[1]), 8, Some(vec![u64::MAX])), ErrorKind::InvalidArgument);
    let mut wrong = of.clone();
    wrong.chunks = vec![vec![4, 3]];
    assert_eq!(refusal(create(&folder.path().join("b"), &wrong)).0, ErrorKind::InvalidArgument);
    let objects = structure(dtype("|O8"), vec![vec![1]]);
    assert_eq!(refusal(create(&folder.path().join("b"), &objects)).0, ErrorKind::Unsupported);
    assert_eq!(leftovers(folder.path()), 0);
    let lossy = json!({"zarr_format": 2, "shape": [4], "chunks": [4], "dtype": "<f8", "order": "C", "compressor": null,
        "filters": [{"id": "quantize", "digits": 1, "dtype": "<f8", "astype": "<f8"}], "fill_value": 0});
    let path = store(&folder, "lossy", ".zarray", lossy);
    let opened = ZarrWriter.open(&Context::unbounded(), request(&path, &of));
    assert_eq!(refusal(opened).0, ErrorKind::UnsupportedFormat);
}

#[test]
fn links_are_not_written_through_and_only_arrays_are_removed() {
    let folder = tempfile::tempdir().unwrap();
    let (path, outside) = (folder.path().join("a"), folder.path().join("outside"));
    let of = structure(dtype("<f8"), vec![vec![4]]);
    create(&path, &of).unwrap();
    fs::create_dir(&outside).unwrap();
    std::os::unix::fs::symlink(&outside, path.join("c")).unwrap();
    let refused = refusal(write(&*storage(&path, &of), &everything(&of), vec![1; 32], None));
    assert_eq!(refused.0, ErrorKind::Forbidden);
    assert!(files_of(&outside).is_empty());
    let delete =
        |path: &Path| ZarrWriter.delete(&Context::unbounded(), open_request(MIMETYPE, &[path]).unwrap());
    fs::write(outside.join("kept"), "").unwrap();
    assert_eq!(refusal(delete(&outside)).0, ErrorKind::Conflict);
    let gone = open_request(MIMETYPE, &[&path]).unwrap();
    delete(&path).unwrap();
    ZarrWriter.delete(&Context::unbounded(), gone).unwrap();
    assert!(!path.exists() && outside.join("kept").exists());
}

#[test]
fn a_written_chunk_changes_the_revision_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a");
    // So many chunks that the files are not asked each time.
    let of = structure(dtype("|u1"), chunks_of(&[100], &[1]));
    create(&path, &of).unwrap();
    let read = adapter(&path, &of);
    let mut seen = vec![read.revision("").unwrap()];
    for i in 0..5 {
        write(&*storage(&path, &of), &region(&[70], &[1]), vec![i], None).unwrap();
        seen.push(read.revision("").unwrap());
    }
    let all = seen.len();
    seen.dedup();
    assert_eq!(seen.len(), all);
}
