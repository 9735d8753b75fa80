"""Reads what this project keeps, and keeps what it reads, with the adapters of Tiled itself.

    python with_tiled.py read|write parquet|arrow|csv|sparse FOLDER

`read` compares the files in FOLDER/t with the values below. `write` makes them and prints the structure and the URIs.
"""

import dataclasses
import importlib
import json
import sys

import numpy
import pandas
from tiled.storage import FileStorage
from tiled.structures.core import StructureFamily
from tiled.structures.data_source import DataSource, Management
from tiled.structures.sparse import COOStructure
from tiled.structures.table import TableStructure

FORMATS = {
    "parquet": ("application/x-parquet", "parquet", "ParquetDatasetAdapter"),
    "arrow": ("application/vnd.apache.arrow.file", "arrow", "ArrowAdapter"),
    "csv": ("text/csv", "csv", "CSVAdapter"),
    "sparse": ("application/x-parquet;structure=sparse", "sparse_blocks_parquet", "SparseBlocksParquetAdapter"),
}


def partition(number):
    first = 10 * number
    times = pandas.to_datetime(["2020-01-01 00:00:00.000001", None]).astype("datetime64[us]")
    return pandas.DataFrame({"n": [first, first + 1], "x": [0.1 * first, None], "w": ["ü,", None], "t": times, "b": [True, False]})


def block(number):
    return pandas.DataFrame({"dim0": [0, 1], "dim1": [number, 199], "data": [1.5, -0.5]})


def structure_of(kind):
    if kind == "sparse":
        return COOStructure(shape=(2, 400), chunks=((2,), (200, 200)))
    structure = TableStructure.from_pandas(partition(0))
    return dataclasses.replace(structure, npartitions=2)


def parts(kind, folder):
    names = ["block-0.0.parquet", "block-0.1.parquet"] if kind == "sparse" else [f"partition-{n}.{kind}" for n in range(2)]
    return [f"file://localhost{folder}/t/{name}" for name in names]


def read(kind, adapter):
    if kind == "sparse":
        got = adapter.read().todense()
        want = numpy.zeros((2, 400))
        for number in range(2):
            for row, column, value in block(number).itertuples(index=False):
                want[int(row), int(column) + 200 * number] = value
        numpy.testing.assert_array_equal(got, want)
        return
    whole = adapter.read().reset_index(drop=True)
    want = pandas.concat([partition(0), partition(1)], ignore_index=True)
    if kind == "csv":
        whole["t"] = pandas.to_datetime(whole["t"]).astype("datetime64[us]")
    pandas.testing.assert_frame_equal(whole.astype({"w": object}), want, check_dtype=kind == "arrow")
    pandas.testing.assert_series_equal(adapter.read_partition(1)["n"].reset_index(drop=True), partition(1)["n"])


def write(kind, adapter_class, mimetype, folder):
    family = StructureFamily.sparse if kind == "sparse" else StructureFamily.table
    structure = structure_of(kind)
    source = DataSource(family, mimetype=mimetype, structure=structure, parameters={}, management=Management.writable)
    source = adapter_class.init_storage(FileStorage(f"file://localhost{folder}"), source, ["t"])
    uris = [asset.data_uri for asset in source.assets]
    adapter = adapter_class(uris, structure)
    for number in range(2):
        if kind == "sparse":
            adapter.write_block(block(number), (0, number))
        else:
            adapter.write_partition(number, partition(number))
    print(json.dumps({"structure": dataclasses.asdict(structure), "uris": uris}))


def main(action, kind, folder):
    mimetype, module, name = FORMATS[kind]
    adapter_class = getattr(importlib.import_module(f"tiled.adapters.{module}"), name)
    if action == "read":
        read(kind, adapter_class(parts(kind, folder), structure_of(kind)))
    else:
        write(kind, adapter_class, mimetype, folder)


if __name__ == "__main__":
    main(*sys.argv[1:])
