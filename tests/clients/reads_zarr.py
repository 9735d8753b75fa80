"""Reads nodes through zarr-python, xarray and fsspec, as Zarr v2 and v3, and compares with what Tiled's client reads.

    python reads_zarr.py URL KEY
"""

import sys

import fsspec
import numpy as np
import xarray
import zarr
from tiled.client import from_uri
from zarr.storage import FsspecStore


def arrays_below(client, path=""):
    for key, node in client.items():
        family = node.item["attributes"]["structure_family"]
        below = f"{path}/{key}".lstrip("/")
        if family == "container":
            yield from arrays_below(node, below)
        elif family == "table":
            for column in node.columns:
                yield f"{below}/{column}", node[column].read()
        elif family == "array":
            yield below, node.read()


def same(got, expected):
    got, expected = np.asarray(got), np.asarray(expected)
    assert got.shape == expected.shape, (got.shape, expected.shape)
    if expected.dtype.names:
        # The order of bytes within a record may differ.
        assert got.astype(expected.dtype).tolist() == expected.tolist()
    elif expected.dtype.kind == "O":
        assert [str(value) for value in got] == [str(value) for value in expected]
    else:
        np.testing.assert_array_equal(got, expected)


def main(url, key):
    client = from_uri(url, api_key=key)
    options = {"client_kwargs": {"headers": {"Authorization": f"Apikey {key}"}}}
    expected = dict(arrays_below(client))
    assert len(expected) > 10, list(expected)
    for version in ("v2", "v3"):
        base = f"{url}/zarr/{version}"
        root = zarr.open(FsspecStore.from_url(base, storage_options=options), mode="r")
        assert root.metadata.zarr_format == int(version[1])
        assert set(root.keys()) == set(client), list(root.keys())
        for path, values in expected.items():
            same(root[path][...], values)
        assert root["arrays/plane/height"].attrs["units"] == "m"

        plane = xarray.open_zarr(f"{base}/arrays/plane", storage_options=options, consolidated=True)
        assert plane["height"].dims == ("y", "x")
        np.testing.assert_array_equal(plane["height"], expected["arrays/plane/height"])
        table = xarray.open_zarr(f"{base}/tables/weather", storage_options=options, consolidated=False)
        assert set(table.dims) == {"index"}, table

        files = fsspec.filesystem("http", **options)
        assert f"{base}/arrays/" in files.ls(base, detail=False)
        found = {name.removeprefix(f"{base}/") for name in files.find(f"{base}/arrays")}
        last = "arrays/plane/height/" + ("1.0" if version == "v2" else "c/1/0")
        assert last in found, found
        folders = {folder.removeprefix(base) for folder, _, _ in files.walk(base)}
        assert "/scans/scan_001/entry/data" in folders, folders
        chunk = files.cat_file(f"{base}/{last}")
        assert files.info(f"{base}/{last}")["size"] == len(chunk) == 32 * 64 * 4
        assert files.cat_file(f"{base}/{last}", start=4, end=8) == chunk[4:8]
        assert not files.exists(f"{base}/arrays/plane/height/.nothing")


if __name__ == "__main__":
    main(*sys.argv[1:])
