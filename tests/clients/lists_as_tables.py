"""Awkward and ragged arrays as Arrow and Parquet are what Awkward itself would have written.

    python lists_as_tables.py URL KEY
"""

import io
import sys

import awkward
import numpy
import pyarrow
import pyarrow.parquet
import ragged
from tiled.client import from_uri

ARROW = "application/vnd.apache.arrow.file"
PARQUET = "application/x-parquet"

AWKWARD = {
    "lists": [[1, 2], [], [3]],
    "words": ["a", "bc", ""],
    "records": [{"x": 1.5, "y": [1]}, {"x": 2.5, "y": []}],
    "lists of records": [[{"x": 1, "s": "a"}], []],
    "missing": [1, None, 3],
    "missing lists": [[1, 2], None, [None]],
    "missing records": [{"x": 1, "y": None}, None, {"x": 2, "y": 3}],
    "tuples": [(1, 2.5), (2, 3.5)],
    "numbers": numpy.arange(12).reshape(2, 3, 2),
}

RAGGED = {
    "numbers": ragged.array([[1.5, 2.5], [], [3.5]]),
    "deep": ragged.array([[[1, 2], []], [[3]]]),
    "regular": ragged.array(awkward.from_regular(awkward.Array(numpy.arange(12).reshape(3, 2, 2)), axis=1)),
    "partly regular": ragged.array(awkward.to_regular(awkward.Array([[[1], [2, 3]], [[], [4]]]), axis=1)),
}


def exported(node, media_type):
    buffer = io.BytesIO()
    node.export(buffer, format=media_type)
    buffer.seek(0)
    if media_type == ARROW:
        return pyarrow.ipc.open_file(buffer).read_all()
    return pyarrow.parquet.read_table(buffer)


def parameters(table):
    """How the columns are called: types compare equal whatever they say beside Arrow's types."""
    return [
        getattr(field.type, "_metadata_as_dict", dict)() for field in table.schema
    ]


def check(node, array, name):
    expected = awkward.to_arrow_table(array)
    table = exported(node, ARROW)
    assert table.schema.equals(expected.schema), (name, table.schema, expected.schema)
    assert parameters(table) == parameters(expected), (name, parameters(table), parameters(expected))
    assert awkward.array_equal(awkward.from_arrow(table), awkward.from_arrow(expected)), name
    # Parquet has no tuples, and no missing lists of its own.
    table = exported(node, PARQUET)
    assert awkward.to_list(awkward.from_arrow(table)) == awkward.to_list(awkward.from_arrow(expected)), name


def main(url, key):
    client = from_uri(url, api_key=key)
    folder = client.create_container(key="awkward")
    for name, values in AWKWARD.items():
        array = awkward.Array(values)
        check(folder.write_awkward(array, key=name), array, name)
    folder = client.create_container(key="ragged")
    for name, values in RAGGED.items():
        node = folder.write_ragged(values, key=name)
        check(node, node.read()._impl, name)


if __name__ == "__main__":
    main(*sys.argv[1:])
