"""One catalog under two servers: what one has written the other reads, and both write at the same time.

    python shares.py write|read|change|changed URL KEY NAME
    python shares.py together URL OTHER_URL KEY ragged|plain

Tiled keeps ragged arrays in DuckDB and PostgreSQL, not in SQLite: `plain` leaves them out.
"""

import sys
import threading

import awkward
import dask.array
import dask.dataframe
import numpy
import pandas
import pyarrow
import ragged
import sparse
from tiled.client import from_uri
from tiled.client.utils import ClientError

METADATA = {"sample": "Größe 2", "nested": {"energy": 8.979e3, "steps": [1, 2.5, None, True]}, "empty": {}}
WHOLE = numpy.arange(24.0).reshape(4, 6)
DTYPES = ["u1", ">i2", "<f4", "c16", "?", "S3", "U4", "M8[ns]"]
FRAME = pandas.DataFrame({"a": [1, 2, 3], "b": ["x", "y", "zz"], "c": [0.5, None, 1.5]})
IRREGULAR = awkward.Array([[{"x": 1.1, "y": [1]}, {"x": 2.2, "y": [1, 2]}], [], [{"x": 3.3, "y": [1, 2, 3]}]])
RAGGED = [[1.5, 2.5], [], [3.5]]
SPARSE = sparse.COO(coords=numpy.array([[0, 1], [2, 3]]), data=numpy.array([3.8, 4.0]), shape=(4, 4))


def rows(*values):
    names = pyarrow.array([f"row {n}" for n in values], "string")
    return pyarrow.table({"n": pyarrow.array(values, "int64"), "name": names})


def ragged_array(lists):
    return ragged.array(awkward.values_astype(awkward.Array(lists), "float64"))


def lists(node):
    return awkward.to_list(awkward.Array(node.read()._impl))


def write(parent, name):
    client = parent.create_container(key=name, metadata=METADATA, specs=["campaign"])
    client.write_array(WHOLE, key="whole", dims=["x", "y"], metadata={"n": 1})
    # In chunks that divide it: to others Tiled gives their full size when they are patched.
    client.write_array(dask.array.from_array(WHOLE, chunks=(2, 3)), key="chunked")
    for i, dtype in enumerate(DTYPES):
        client.write_array(numpy.array([0, 1, 2]).astype(dtype), key=f"type {i}")
    client.write_table(FRAME, key="table")
    client.write_table(dask.dataframe.from_pandas(FRAME, npartitions=2), key="parts")
    client.write_sparse(coords=SPARSE.coords, data=SPARSE.data, shape=SPARSE.shape, key="sparse")
    client.write_awkward(IRREGULAR, key="awkward")
    client.write_ragged(ragged_array(RAGGED), key="ragged")
    grows = client.create_appendable_table(rows().schema, key="grows")
    grows.append_partition(0, rows(1, 2))
    grows.append_partition(0, rows(3))
    client.create_container(key="gone").write_array(WHOLE, key="deep")
    client.write_array(WHOLE, key="also gone")


def read_common(client):
    assert dict(client.metadata["nested"]) == METADATA["nested"], client.metadata
    assert client.metadata["sample"] == METADATA["sample"]
    for i, dtype in enumerate(DTYPES):
        wanted = numpy.array([0, 1, 2]).astype(dtype)
        found = client[f"type {i}"].read()
        assert found.dtype == wanted.dtype and (found == wanted).all(), dtype
    assert (client["sparse"].read().todense() == SPARSE.todense()).all()
    assert awkward.almost_equal(client["awkward"].read(), IRREGULAR)
    pandas.testing.assert_frame_equal(
        client["parts"].read(), FRAME, check_dtype=False, check_column_type=False
    )


def read(parent, name):
    client = parent[name]
    read_common(client)
    assert [spec.name for spec in client.specs] == ["campaign"]
    assert (client["whole"].read() == WHOLE).all() and client["whole"].dims == ("x", "y")
    assert client["whole"].metadata["n"] == 1
    assert (client["chunked"].read() == WHOLE).all() and client["chunked"].chunks == ((2, 2), (3, 3))
    assert (client["chunked"].read_block((1, 1)) == WHOLE[2:, 3:]).all()
    pandas.testing.assert_frame_equal(client["table"].read(), FRAME, check_dtype=False, check_column_type=False)
    assert lists(client["ragged"]) == RAGGED, lists(client["ragged"])
    assert list(client["grows"].read()["n"]) == [1, 2, 3]
    assert list(client["grows"].read()["name"]) == ["row 1", "row 2", "row 3"]
    assert (client["gone", "deep"].read() == WHOLE).all()
    assert len(client.metadata_revisions) == 0


def change(parent, name):
    client = parent[name]
    client.update_metadata(metadata={"sample": "changed once"}, specs=["campaign", "changed"])
    client.update_metadata(metadata={"sample": METADATA["sample"], "added": 1})
    client["chunked"].write_block(WHOLE[2:, 3:] * -1, (1, 1))
    client["chunked"].patch(numpy.full((1, 2), 7.0), offset=(0, 0))
    client["whole"].patch(numpy.full((2, 6), 9.0), offset=(4,), extend=True)
    client["table"].write_partition(0, FRAME.assign(a=[7, 8, 9]))
    client["grows"].append_partition(0, rows(4, 5))
    node = client["ragged"]
    node.patch(ragged_array([[4.5], [5.5, 6.5]]), offset=3, extend=True)
    client["ragged"].patch(ragged_array([[7.5]]), offset=5, extend=True)
    client.delete_contents("gone", recursive=True, external_only=False)
    client.delete_contents("also gone", external_only=False)
    # The place that was left is free again.
    client.write_array(numpy.array([1, 2]), key="also gone")
    client.create_container(key="new").write_array(numpy.arange(3), key="x")


def changed(parent, name):
    client = parent[name]
    read_common(client)
    assert client.metadata["added"] == 1
    assert [spec.name for spec in client.specs] == ["campaign", "changed"]
    revisions = [revision["attributes"]["metadata"] for revision in client.metadata_revisions[:]]
    assert [revision["sample"] for revision in revisions] == [METADATA["sample"], "changed once"], revisions
    blocks = WHOLE.copy()
    blocks[2:, 3:] *= -1
    blocks[:1, :2] = 7
    assert (client["chunked"].read() == blocks).all()
    assert client["whole"].shape == (6, 6)
    assert (client["whole"].read() == numpy.concatenate([WHOLE, numpy.full((2, 6), 9.0)])).all()
    assert list(client["table"].read()["a"]) == [7, 8, 9]
    assert list(client["grows"].read()["n"]) == [1, 2, 3, 4, 5]
    assert lists(client["ragged"]) == [*RAGGED, [4.5], [5.5, 6.5], [7.5]]
    assert client["ragged"].read()[4]._impl.tolist() == [5.5, 6.5]
    assert "gone" not in client
    assert list(client["also gone"].read()) == [1, 2]
    assert list(client["new", "x"].read()) == [0, 1, 2]


def in_turn(one, other, has_ragged):
    """Each step by the other server than the step before, and looked at through both."""
    one.create_container(key="turns", metadata={"n": 0})
    one["turns"].write_array(numpy.zeros((1, 2)), key="array")
    one["turns"].create_appendable_table(rows().schema, key="table")
    if has_ragged:
        one["turns"].write_ragged(ragged_array([[0.0]]), key="ragged")
    for n in range(1, 7):
        writer = one if n % 2 else other
        node = writer["turns"]
        node.update_metadata(metadata={"n": n})
        node["array"].patch(numpy.full((1, 2), float(n)), offset=(n,), extend=True)
        node["table"].append_partition(0, rows(n))
        if has_ragged:
            node["ragged"].patch(ragged_array([[float(n)] * n]), offset=n, extend=True)
        node.create_container(key=f"child {n}")
        for reader in (one, other):
            node = reader["turns"]
            assert node.metadata["n"] == n, (n, node.metadata)
            assert len(node.metadata_revisions) == n
            assert (node["array"].read()[:, 0] == numpy.arange(n + 1)).all()
            assert list(node["table"].read()["n"]) == list(range(1, n + 1))
            if has_ragged:
                assert lists(node["ragged"]) == [[0.0], *([float(i)] * i for i in range(1, n + 1))]
            assert f"child {n}" in node and len(node) == n + 2 + has_ragged
    assert sorted(one["turns"]) == sorted(other["turns"])


def at_once(urls, key, has_ragged, count=6):
    """Writers of both servers at the same time."""
    first = from_uri(urls[0], api_key=key)
    shared = first.create_container(key="at once")
    shared.create_appendable_table(rows().schema, key="table")
    failures, won = [], []

    def writer(number, url):
        try:
            client = from_uri(url, api_key=key)["at once"]
            mine = client.create_container(key=f"of {number}", metadata={"n": 0})
            for n in range(1, count + 1):
                mine.update_metadata(metadata={"n": n})
                mine.write_array(numpy.full(4, float(n)), key=str(n))
                # In SQLite, Tiled answers 500 at once where another process writes: it begins by reading.
                if has_ragged or url == urls[0]:
                    client["table"].append_partition(0, rows(1000 * number + n))
                try:
                    client.create_container(key=f"race {n}", metadata={"by": number})
                    won.append((n, number))
                except ClientError as error:
                    assert error.response.status_code == 409, error
        except Exception as error:
            failures.append(f"writer {number} at {url}: {error!r}")

    threads = [threading.Thread(target=writer, args=(i, urls[i % 2])) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures, failures
    assert sorted(n for n, _ in won) == list(range(1, count + 1)), won
    appending = range(4) if has_ragged else range(0, 4, 2)
    wanted = {1000 * number + n for number in appending for n in range(1, count + 1)}
    for url in urls:
        client = from_uri(url, api_key=key)["at once"]
        found = list(client["table"].read()["n"])
        assert len(found) == len(wanted) and set(found) == wanted, found
        for number in range(4):
            mine = client[f"of {number}"]
            assert mine.metadata["n"] == count and len(mine.metadata_revisions) == count
            assert sorted(mine, key=int) == [str(n) for n in range(1, count + 1)]
            for n in range(1, count + 1):
                assert (mine[str(n)].read() == n).all()
        for n, number in won:
            assert client[f"race {n}"].metadata["by"] == number


def together(urls, key, has_ragged):
    one, other = (from_uri(url, api_key=key) for url in urls)
    in_turn(one, other, has_ragged)
    at_once(urls, key, has_ragged)


def main(what, *rest):
    if what == "together":
        *urls, key, families = rest
        together(urls, key, families == "ragged")
    else:
        url, key, name = rest
        {"write": write, "read": read, "change": change, "changed": changed}[what](from_uri(url, api_key=key), name)


if __name__ == "__main__":
    main(*sys.argv[1:])
