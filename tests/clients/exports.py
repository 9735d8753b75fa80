"""Exports nodes into files and opens them with other libraries.

    python exports.py URL
"""

import sys
import tempfile
from pathlib import Path

import h5py
import numpy as np
import pandas
import tifffile
from tiled.client import from_uri


def main(url):
    client = from_uri(url)
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)

        spots = client["images/spots"]
        spots.export(str(folder / "spots.tiff"))
        np.testing.assert_array_equal(tifffile.imread(folder / "spots.tiff"), spots.read())
        spots.export(str(folder / "part.csv"), slice=np.s_[:4, :5])
        part = np.loadtxt(folder / "part.csv", delimiter=",")
        np.testing.assert_allclose(part, spots[:4, :5], rtol=1e-6)

        weather = client["tables/weather"]
        weather.export(str(folder / "weather.csv"))
        exported = pandas.read_csv(folder / "weather.csv")
        # Texts are `str` here and Arrow strings there.
        pandas.testing.assert_frame_equal(exported, weather.read().reset_index(drop=True), check_dtype=False)
        weather.export(str(folder / "weather.parquet"))
        assert len(pandas.read_parquet(folder / "weather.parquet")) == 200

        client["scans/scan_001"].export(str(folder / "scan.h5"))
        with h5py.File(folder / "scan.h5") as file:
            exported = file["entry/data/counts"][:]
        np.testing.assert_array_equal(exported, client["scans/scan_001/entry/data/counts"].read())


if __name__ == "__main__":
    main(*sys.argv[1:])
