"""Arrays for `tests/python.rs`: made as Tiled and zarr-python make them, and read back after we wrote to them.

    python store.py make FOLDER     makes arrays, and FOLDER/made.json: their structures and the values in them
    python store.py check FOLDER    reads the arrays of FOLDER/written.json and compares
"""

import json
import pathlib
import sys
import warnings

import numpy
import zarr
from tiled.adapters.zarr import ZarrArrayAdapter
from tiled.ndslice import NDSlice
from tiled.storage import FileStorage
from tiled.structures.array import ArrayStructure
from tiled.structures.data_source import DataSource, Management
from tiled.structures.core import StructureFamily

warnings.simplefilter("ignore")


def structure_of(dtype, shape, chunks):
    array = numpy.zeros(shape, dtype)
    return ArrayStructure.from_array(array, shape=shape, chunks=chunks)


def by_tiled(folder, name, dtype, shape, chunks):
    structure = structure_of(dtype, shape, chunks)
    source = DataSource(
        structure_family=StructureFamily.array,
        structure=structure,
        id=None,
        mimetype="application/x-zarr",
        parameters={},
        properties={},
        assets=[],
        management=Management.writable,
    )
    ZarrArrayAdapter.init_storage(FileStorage(uri=f"file://localhost{folder}"), source, [name])
    return zarr.open_array(str(folder / name)), structure


def values_of(dtype, shape):
    size = int(numpy.prod(shape, dtype=int))
    numbers = numpy.arange(1, size + 1) % 120
    if numpy.dtype(dtype).kind in "US":
        return numpy.array([str(n) for n in numbers]).astype(dtype).reshape(shape)
    if numpy.dtype(dtype).names:
        values = numpy.zeros(size, dtype)
        for field in values.dtype.names:
            values[field] = numbers
        return values.reshape(shape)
    return numbers.astype(dtype).reshape(shape)


def make(folder):
    made = []

    def note(name, array, structure, dtype):
        shape = structure.shape
        values = values_of(dtype, shape)
        # Part of it: chunks that are missing, whole and in between.
        rows = tuple(slice(0, (n + 1) // 2) for n in shape)
        array[rows] = values[rows]
        before = array[tuple(slice(0, n) for n in shape)]
        (folder / f"{name}.values").write_bytes(numpy.asarray(before).astype(dtype).tobytes())
        made.append({"name": name, "structure": json.loads(json.dumps(structure.__dict__, default=lambda o: o.__dict__))})

    types = ["<f8", ">i4", "|u1", "|b1", "<f2", "<c16", "<U5", ">U3", "|S3", "<M8[ns]", "<m8[25s]"]
    types.append([("a", "<i4"), ("b", "<f8")])
    for number, dtype in enumerate(types):
        array, structure = by_tiled(folder, f"tiled{number}", numpy.dtype(dtype), (7, 5), ((3, 3, 1), (5,)))
        note(f"tiled{number}", array, structure, dtype)
    array, structure = by_tiled(folder, "scalar", numpy.dtype("<f8"), (), ())
    note("scalar", array, structure, "<f8")
    chains = {
        "v2": dict(zarr_format=2, chunks=(3, 4)),
        "v2f": dict(zarr_format=2, chunks=(3, 4), order="F"),
        "sharded": dict(zarr_format=3, chunks=(2, 2), shards=(4, 4)),
        "plain": dict(zarr_format=3, chunks=(3, 4), compressors=None),
        "gzip": dict(zarr_format=3, chunks=(3, 4), compressors=zarr.codecs.GzipCodec()),
        "blosc": dict(zarr_format=3, chunks=(3, 4), compressors=zarr.codecs.BloscCodec()),
        "transposed": dict(zarr_format=3, chunks=(3, 4), filters=[zarr.codecs.TransposeCodec(order=(1, 0))]),
    }
    for name, how in chains.items():
        array = zarr.create_array(str(folder / name), shape=(7, 5), dtype="<i4", **how)
        note(name, array, structure_of("<i4", (7, 5), how["chunks"]), "<i4")
    (folder / "made.json").write_text(json.dumps(made))


def check(folder):
    failures = []
    for entry in json.loads((folder / "written.json").read_text()):
        structure = ArrayStructure.from_json(entry["structure"])
        dtype = structure.data_type.to_numpy_dtype()
        want = (folder / entry["values"]).read_bytes()
        array = zarr.open_array(str(folder / entry["name"]), mode="r")
        adapter = ZarrArrayAdapter(array, structure)
        read = {
            "zarr": array[tuple(slice(0, n) for n in structure.shape)],
            "tiled": adapter.read(NDSlice(())) if structure.shape else adapter.read(NDSlice((Ellipsis,))),
        }
        for reader, values in read.items():
            values = numpy.asarray(values)
            # Raw bytes stand for what Zarr has no name for.
            if values.dtype.kind != "V" or values.dtype.names:
                values = values.astype(dtype)
            if values.shape != tuple(structure.shape) or values.tobytes() != want:
                failures.append(f"{entry['name']}: {reader} reads other values: {values!r}")
    if failures:
        sys.exit("\n".join(failures))


{"make": make, "check": check}[sys.argv[1]](pathlib.Path(sys.argv[2]).resolve())
