"""What the client writes is what it reads: every family, extension, metadata, deletion.

    python writes.py URL KEY
"""

import sys

import dask.array
import dask.dataframe
import numpy
import pandas
from tiled.client import from_uri
from tiled.client.utils import ClientError
from tiled.utils import Conflicts, patch_mimetypes


def refused(status, call):
    try:
        call()
    except ClientError as error:
        assert error.response.status_code == status, error
    else:
        raise AssertionError(f"{status} was expected")


def arrays(client):
    values = numpy.arange(24.0).reshape(4, 6)
    assert (client.write_array(values, key="whole", metadata={"n": 1}, dims=["x", "y"])[:] == values).all()
    chunked = dask.array.from_array(values, chunks=(2, 4))
    assert (client.write_array(chunked, key="chunked").read() == values).all()
    for i, dtype in enumerate(["u1", ">i2", "<f4", "c16", "?", "S3", "U4", "M8[ns]"]):
        sample = numpy.array([0, 1, 2]).astype(dtype)
        written = client.write_array(sample, key=f"type {i}")
        assert written.read().dtype == sample.dtype, dtype
        assert (client[f"type {i}"].read() == sample).all(), dtype
    growing = client.write_array(numpy.ones((3, 2)), key="growing")
    try:
        growing.patch(numpy.zeros((1, 2)), offset=(3,))
    except Conflicts as error:
        assert "extend" in str(error)
    else:
        raise AssertionError("a patch beyond the shape was taken")
    growing.patch(numpy.zeros((1, 2)), offset=(3,), extend=True)
    assert growing.shape == (4, 2)
    assert (client["growing"].read() == numpy.array([[1, 1], [1, 1], [1, 1], [0, 0]])).all()


def tables(client):
    frame = pandas.DataFrame({"a": [1, 2, 3], "b": ["x", "y", "zz"], "c": [0.5, None, 1.5]})
    parts = dask.dataframe.from_pandas(frame, npartitions=2)
    for key, data in [("table", frame), ("parts", parts)]:
        read = client.write_table(data, key=key).read()
        # With dask the client has a type of its own for text.
        pandas.testing.assert_frame_equal(read, frame, check_dtype=False, check_column_type=False)


def sparse_and_awkward(client):
    import awkward
    import sparse

    coo = sparse.COO(coords=numpy.array([[0, 1], [2, 3]]), data=numpy.array([3.8, 4.0]), shape=(4, 4))
    written = client.write_sparse(coords=coo.coords, data=coo.data, shape=coo.shape, key="sparse")
    assert (written.read().todense() == coo.todense()).all()
    irregular = awkward.Array([[{"x": 1.1, "y": [1]}, {"x": 2.2, "y": [1, 2]}], [], [{"x": 3.3, "y": [1, 2, 3]}]])
    written = client.write_awkward(irregular, key="awkward")
    assert awkward.almost_equal(written.read(), irregular)


def metadata(client):
    node = client.create_container(key="meta", metadata={"a": 0, "b": 2}, specs=["one"])
    node.update_metadata(metadata={"a": 1, "c": [1, 2]}, specs=["one", "two"])
    assert dict(client["meta"].metadata) == {"a": 1, "b": 2, "c": [1, 2]}
    assert [spec.name for spec in client["meta"].specs] == ["one", "two"]
    node.patch_metadata(metadata_patch={"c": None}, content_type=patch_mimetypes.MERGE_PATCH)
    assert dict(client["meta"].metadata) == {"a": 1, "b": 2}
    assert len(node.metadata_revisions) == 2
    assert node.metadata_revisions[0]["attributes"]["metadata"] == {"a": 0, "b": 2}
    time = node.metadata_revisions[0]["attributes"]["time_updated"]
    assert time.year > 2020 and time.tzinfo is not None, time
    node.metadata_revisions.delete_revision(1)
    assert len(node.metadata_revisions) == 1


def deletion(client):
    node = client.create_container(key="old")
    node.write_array([1, 2, 3], key="x")
    refused(409, lambda: client.delete_contents("old", recursive=True))
    client.delete_contents("old", recursive=True, external_only=False)
    assert "old" not in client
    client.create_container(key="old").write_array([4], key="x")
    assert client["old", "x"].read() == [4]
    refused(409, lambda: client.create_container(key="old"))


def main(url, key):
    client = from_uri(url, api_key=key)
    for part in (arrays, tables, sparse_and_awkward, metadata, deletion):
        part(client.create_container(key=part.__name__))
    refused(401, lambda: from_uri(url).create_container(key="x"))


if __name__ == "__main__":
    main(*sys.argv[1:])
