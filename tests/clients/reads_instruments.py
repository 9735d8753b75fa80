"""Reads files of telescopes, detectors and microscopes, and compares with what astropy, fabio, mrcfile and imageio read.

    python reads_instruments.py URL EXPECTED.json...

The folder that is served has a file of each format; the expected values stand beside the fixtures of the plugins.
"""

import json
import sys
from pathlib import Path

import dask
import numpy as np
from tiled.client import from_uri


def check(node, want):
    values = np.frombuffer(bytes.fromhex(want["values"]), want["dtype"]).reshape(want["shape"])
    assert node.shape == values.shape and node.dtype == values.dtype, (node, node.dtype, values.dtype)
    np.testing.assert_array_equal(node.read(), values)
    np.testing.assert_array_equal(node[..., ::2], values[..., ::2])
    for key, value in want.get("metadata", {}).items():
        assert node.metadata[key] == value, (node, key)


def main(url, *files):
    client = from_uri(url)
    expected = {}
    for file in files:
        expected |= json.loads(Path(file).read_text())

    for name in ("frames.edf", "pilatus.cbf", "counts.spe", "volume.mrc"):
        check(client["frames"][name.split(".")[0]], expected[name])
    # Its suffix is claimed by nobody: the first bytes tell what it is. A linker's map beside it is none.
    check(client["maps/density"], expected["image.mrc"])
    assert list(client["maps"]) == ["density"]

    stack = client["run/frame_"]
    one = np.frombuffer(bytes.fromhex(expected["pilatus.cbf"]["values"]), "<i4").reshape(9, 11)
    assert stack.chunks == ((1, 1, 1), (9,), (11,))
    np.testing.assert_array_equal(stack.read(), np.stack([one] * 3))
    assert stack.metadata["first_file"]["Detector"] == "PILATUS 300K"

    for name in ("rice16.fits", "scaled.fits", "dither1.fits"):
        (want,) = expected[name]
        check(client["sky"][name.split(".")[0]], want)
    several = client["sky/several"]
    assert list(several) == ["EVENTS", "TEXT", "SCI_1", "SCI_2", "NOTHING"]
    assert several.metadata["OBJECT"] == "M 31" and several.metadata["comments"]["OBJECT"] == "what it is"
    for want in expected["several.fits"]:
        check(several[want["node"]], want)
    # By default dask, through which the client reads tables, makes texts of lists.
    with dask.config.set({"dataframe.convert-string": False}):
        events = several["EVENTS"].read()
    assert list(events["small"]) == [60_000, 60_001, 60_002, 60_003]
    assert list(events["name"]) == ["a", "bc", "", "hello"]
    assert [list(row) for row in events["list"]] == [[], [0], [0, 1], [0, 1, 2]]
    np.testing.assert_array_equal(np.array([np.stack(grid) for grid in events["grid"]]), np.arange(24).reshape(4, 2, 3))
    np.testing.assert_array_equal(several["EVENTS"].read(["wave"])["wave"], np.arange(4) / 8)
    assert list(several["TEXT"].read()["a"]) == ["x", "y z", "", "w"]


if __name__ == "__main__":
    main(*sys.argv[1:])
