"""Reads every example file and compares with what was written.

    python reads_examples.py URL
"""

import sys

import numpy as np
from tiled.client import from_uri


def main(url):
    client = from_uri(url)
    assert set(client) == {"arrays", "climate", "images", "scans", "spectra", "tables"}, list(client)

    points = np.arange(500)
    wave = np.sin(points / 20) * np.exp(-points / 250)
    np.testing.assert_allclose(client["arrays/wave"].read(), wave, rtol=1e-12)
    np.testing.assert_allclose(client["arrays/wave"][10:400:7], wave[10:400:7], rtol=1e-12)

    height = client["arrays/plane/height"]
    expected = np.arange(64)[:, None] + np.arange(64)[None, :] / 4
    assert height.chunks == ((32, 32), (64,)) and height.dims == ("y", "x")
    np.testing.assert_array_equal(height.read(), expected.astype("float32"))
    np.testing.assert_array_equal(height[30:35, ::-1], expected[30:35, ::-1].astype("float32"))

    frames = client["images/tomography"].values().first()
    assert frames.shape == (8, 128, 128) and frames.dtype == "uint16"
    whole = frames.read()
    np.testing.assert_array_equal(frames[3], whole[3])
    assert whole.min() >= 100 and len({int(frame.argmax()) for frame in whole}) == 8
    assert client["images/rings"].read().shape == (128, 128, 3)
    assert client["images/spots"].dtype == "float32"

    scan = client["scans/scan_001"]
    assert scan.metadata["sample"] == "LaB6"
    x = -2.5 + 0.1 * np.arange(50)
    np.testing.assert_allclose(scan["entry/data/x"].read(), x)
    assert scan["entry/data/x"].metadata["units"] == "mm"
    counts = (20 + 5000 * np.exp(-(x**2) * 4)).astype("int32")
    np.testing.assert_array_equal(scan["entry/data/counts"].read(), counts)
    detector = scan["entry/instrument/detector"]
    assert detector.shape == (10, 32, 32) and detector[2, 3, 4] == 32

    for number, name in enumerate(["weather", "motors", "detectors", "samples/Sheet1"]):
        node = client[f"tables/{name}"]
        table = node.read()
        assert list(table.columns) == ["index", "place", "temperature", "pressure", "valid"], name
        time = np.arange(200) + 7 * number
        np.testing.assert_allclose(table["temperature"], 15 + 8 * np.sin(time / 20), rtol=1e-9)
        assert list(table["place"][:4]) == ["north", "east", "south", "west"]
        np.testing.assert_allclose(node.read(["pressure"])["pressure"], 1013 + 5 * np.cos(time / 33), rtol=1e-9)

    temperature = client["climate/stations/temp"].read()
    np.testing.assert_allclose(temperature, 12 - 6 * np.cos(np.arange(24) / 24 * 2 * np.pi))

    spectrum = client["spectra/iron_foil"].read()
    assert len(spectrum) == 500 and np.isclose(spectrum["energy"].iloc[-1], 7499)


if __name__ == "__main__":
    main(*sys.argv[1:])
