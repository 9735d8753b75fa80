"""Every family in every format that can hold it, each opened with the library that reads it, and compared by value.

    python formats.py URL KEY
"""

import io
import json
import sys
import zipfile

import awkward
import h5py
import httpx
import numpy
import openpyxl
import pandas
import pyarrow
import pyarrow.feather
import pyarrow.parquet
import sparse
import tifffile
import xarray
from PIL import Image
from tiled.client import from_uri

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
ARROW = "application/vnd.apache.arrow.file"
METADATA = {
    "sample": {"name": "iron", "layers": [{"nm": 3}, {"nm": 4}]},
    "mixed": [1, "two", None],
    "ragged": [[1], [2, 3]],
    "temperature": 300.5,
    "long": list(range(20_000)),
    "ok": True,
    "nothing": None,
}


class Formats:
    def __init__(self, url, key):
        self.http = httpx.Client(
            base_url=f"{url}/api/v1", headers={"Authorization": f"Apikey {key}", "Accept-Encoding": "identity"}, timeout=60
        )

    def get(self, path, format, media_type=None, **params):
        answer = self.http.get(path, params={"format": format, **params})
        assert answer.status_code == 200, (path, format, answer.status_code, answer.text[:300])
        found = answer.headers["content-type"]
        assert media_type is None or found == media_type, (path, format, found)
        return answer.content

    def refused(self, path, format, status, text, **params):
        answer = self.http.get(path, params={"format": format, **params})
        assert answer.status_code == status and text in answer.text, (path, format, answer.status_code, answer.text[:300])


def html(data):
    assert b"<table" in data.lower(), data[:200]


def arrays(client, formats):
    image = numpy.random.default_rng(1).normal(size=(40, 30))
    client.write_array(image, key="image", metadata=METADATA)
    path = "/array/full/image"
    assert (numpy.load(io.BytesIO(formats.get(path, "npy", "application/x-npy"))) == image).all()
    assert json.loads(formats.get(path, "json", "application/json")) == image.tolist()
    for format, media_type in [("csv", "text/csv"), ("txt", "text/plain"), ("text/x-comma-separated-values", None),
                               ("application/vnd.ms-excel", "application/vnd.ms-excel")]:
        media_type = media_type and media_type + ("; charset=utf-8" if media_type.startswith("text/") else "")
        assert (numpy.loadtxt(io.BytesIO(formats.get(path, format, media_type)), delimiter=",") == image).all()
    for format in ("tif", "tiff", "image/tiff"):
        assert (tifffile.imread(io.BytesIO(formats.get(path, format, "image/tiff"))) == image).all()
    html(formats.get(path, "html", "text/html; charset=utf-8"))
    with h5py.File(io.BytesIO(formats.get(path, "h5", "application/x-hdf5"))) as file:
        assert (file["image"][:] == image).all()
        assert json.loads(file.attrs["sample"]) == METADATA["sample"]
    for format in ("nc", "application/netcdf", "application/x-netcdf"):
        dataset = xarray.open_dataset(io.BytesIO(formats.get(path, format)), engine="h5netcdf")
        assert (dataset["image"].values == image).all()
    assert formats.get(path, "application/octet-stream") == image.tobytes()
    part = formats.get(path, "npy", slice="::-2,3")
    assert (numpy.load(io.BytesIO(part)) == image[::-2, 3]).all()
    pictures(formats, path, image)
    types(client, formats)


def picture(data):
    return numpy.asarray(Image.open(io.BytesIO(data)))


def grey(values, low, high, curve=lambda part: part):
    return curve(numpy.clip((values - low) / (high - low), 0, 1)) * 255


def pictures(formats, path, image):
    def differs(found, expected):
        return numpy.abs(found.astype(float) - expected).max()

    low, high = numpy.percentile(image, [1, 99])
    assert differs(picture(formats.get(path, "png", "image/png")), grey(image, low, high)) <= 1
    low, high = numpy.percentile(image, [10, 60])
    assert differs(picture(formats.get(path, "png", percentiles="10,60")), grey(image, low, high)) <= 1
    found = picture(formats.get(path, "image/png", "image/png", range="0,2", scale="sqrt"))
    assert differs(found, grey(image, 0, 2, numpy.sqrt)) <= 1
    found = picture(formats.get(path, "png", range="0,2", scale="log"))
    assert differs(found, grey(image, 0, 2, lambda part: numpy.log1p(1000 * part) / numpy.log1p(1000))) <= 1
    colors = picture(formats.get(path, "png", range="0,2", colors="viridis"))
    assert colors.shape == (*image.shape, 3)
    assert (colors[image < 0] == [68, 1, 84]).all()
    formats.refused(path, "png", 400, "scale=cubic", scale="cubic")
    formats.refused(path, "png", 400, "viridis", colors="rainbow")
    formats.refused(path, "png", 400, "percentiles", percentiles="60,10")


def types(client, formats):
    samples = {
        "u1": numpy.arange(6, dtype="u1").reshape(2, 3), "i2": numpy.arange(6, dtype=">i2").reshape(2, 3),
        "f2": numpy.array([[0.5, 2.0]], dtype="f2"), "f4": numpy.array([[0.1, numpy.inf]], dtype="f4"),
        "bool": numpy.array([[True, False]]), "complex": numpy.array([[1 + 2j, 3 - 4j]]),
        "bytes": numpy.array([b"ab", b"c"]), "text": numpy.array(["aé", "\U0001f600", ""]),
        "time": numpy.array(["2025-01-01T12:00", "NaT", "1969-12-31T23:59"], dtype="M8[ns]"),
        "span": numpy.array([1, -5], dtype="m8[s]"), "raw": numpy.array([b"ab", b"cd"], dtype="V2"),
        "nan": numpy.array([[1.0, numpy.nan], [3.0, 4.0]]),
    }
    types = client.create_container("types")
    for key, sample in samples.items():
        types.write_array(sample, key=key)
    for key, sample in samples.items():
        path = f"/array/full/types/{key}"
        found = numpy.load(io.BytesIO(formats.get(path, "npy")))
        assert found.dtype == sample.dtype, (key, found.dtype)
        numpy.testing.assert_array_equal(found, sample)
        formats.get(path, "json"), formats.get(path, "csv"), formats.get(path, "html")
        with h5py.File(io.BytesIO(formats.get(path, "h5"))) as file:
            stored = file[key]
            if key == "text":
                assert stored.asstr()[:].tolist() == sample.tolist()
            elif key in ("time", "span"):
                assert (stored[:].view("i8") == sample.view("i8")).all()
            else:
                numpy.testing.assert_array_equal(stored[:], sample)
        if key == "raw":
            formats.refused(path, "nc", 406, "no form in netCDF")
            continue
        with xarray.open_dataset(io.BytesIO(formats.get(path, "nc")), engine="h5netcdf", decode_timedelta=True) as dataset:
            stored = dataset[key].values
            if key == "complex":
                stored = stored[..., 0] + 1j * stored[..., 1]
            elif key != "text":
                assert stored.dtype.kind == sample.dtype.kind, (key, stored.dtype)
            numpy.testing.assert_array_equal(stored, sample)
    assert json.loads(formats.get("/array/full/types/complex", "json")) == [[[1.0, 2.0], [3.0, -4.0]]]
    assert json.loads(formats.get("/array/full/types/nan", "json")) == [[1.0, None], [3.0, 4.0]]
    assert picture(formats.get("/array/full/types/nan", "png", percentiles="0,100")).tolist() == [[0, 0], [170, 255]]
    formats.refused("/array/full/types/time", "csv;x", 406, "None of the media types")
    cube = client.write_array(numpy.zeros((3, 4, 5)), key="cube")
    assert cube.shape == (3, 4, 5)
    formats.refused("/array/full/cube", "csv", 406, "The shape of this data (3, 4, 5) is incompatible")


def tables(client, formats):
    frame = pandas.DataFrame({
        "n": [1, 2, 3], "x": [0.5, numpy.nan, -1.0], "word": ["a", 'say "b", c', "é"], "flag": [True, False, True],
        "when": pandas.to_datetime(["2025-01-01T00:00:00", None, "2025-01-02T03:04:05"]),
    })
    client.write_table(frame, key="table", metadata=METADATA)
    path = "/table/full/table"
    same = lambda found: pandas.testing.assert_frame_equal(  # noqa: E731
        found[list(frame)].reset_index(drop=True), frame, check_dtype=False
    )
    for format in ("arrow", "feather", ARROW):
        same(pyarrow.feather.read_feather(io.BytesIO(formats.get(path, format, ARROW))))
    same(pandas.read_parquet(io.BytesIO(formats.get(path, "parquet", "application/x-parquet"))))
    for format in ("csv", "txt", "text/x-comma-separated-values", "application/vnd.ms-excel"):
        same(pandas.read_csv(io.BytesIO(formats.get(path, format)), parse_dates=["when"]))
    assert formats.get(path, "text/csv;header=absent", "text/csv;header=absent; charset=utf-8").startswith(b"1,0.5,")
    same(pandas.read_excel(io.BytesIO(formats.get(path, "xlsx", XLSX))))
    html(formats.get(path, "html"))
    columns = json.loads(formats.get(path, "json", "application/json"))
    assert columns["n"] == [1, 2, 3] and columns["x"] == [0.5, None, -1.0] and columns["when"][1] is None
    rows = [json.loads(row) for row in formats.get(path, "json-seq", "application/json-seq").split(b"\x1e")[1:]]
    assert [row["word"] for row in rows] == frame["word"].tolist()
    with h5py.File(io.BytesIO(formats.get(path, "h5"))) as file:
        assert file["n"][:].tolist() == [1, 2, 3] and file["word"].asstr()[:].tolist() == frame["word"].tolist()
        assert json.loads(file.attrs["mixed"]) == METADATA["mixed"]
    dataset = xarray.open_dataset(io.BytesIO(formats.get(path, "nc")), engine="h5netcdf")
    assert dataset["n"].dims == ("index",) and dataset["word"].values.tolist() == frame["word"].tolist()
    assert dataset["flag"].values.dtype == bool
    numpy.testing.assert_array_equal(dataset["when"].values, frame["when"].values)
    named = formats.http.get(path, params={"format": "csv", "filename": "my.csv"})
    assert named.headers["content-disposition"] == 'attachment; filename="my.csv"'
    gaps = pandas.DataFrame({"a": pandas.array([1, None, 3], dtype="Int64"), "b": pandas.array([True, None, False], "boolean")})
    client.write_table(gaps, key="gaps")
    with h5py.File(io.BytesIO(formats.get("/table/full/gaps", "h5"))) as file:
        numpy.testing.assert_array_equal(file["a"][:], [1, numpy.nan, 3])
        numpy.testing.assert_array_equal(file["b"][:], [1, numpy.nan, 0])


def sparse_arrays(client, formats):
    dense = numpy.zeros((20, 10))
    dense[[1, 3, 17], [2, 9, 0]] = [1.5, -2.0, 3.0]
    client.write_sparse(
        coords=sparse.COO(dense).coords, data=sparse.COO(dense).data, shape=dense.shape, key="sparse"
    )
    path = "/array/full/sparse"
    tables = [
        pyarrow.feather.read_feather(io.BytesIO(formats.get(path, "arrow", ARROW))),
        pandas.read_parquet(io.BytesIO(formats.get(path, "parquet"))),
        pandas.read_csv(io.BytesIO(formats.get(path, "csv"))),
        pandas.read_csv(io.BytesIO(formats.get(path, "text/plain"))),
        pandas.read_excel(io.BytesIO(formats.get(path, "xlsx"))),
        pandas.DataFrame(json.loads(formats.get(path, "json"))),
        pandas.DataFrame([json.loads(row) for row in formats.get(path, "json-seq").split(b"\x1e")[1:]]),
    ]
    for table in tables:
        assert (sparse.COO(table[["dim0", "dim1"]].values.T, table["data"].values, dense.shape).todense() == dense).all()
    html(formats.get(path, "html"))
    for format in ("h5", "nc"):
        with h5py.File(io.BytesIO(formats.get(path, format))) as file:
            assert (sparse.COO(file["coords"][:], file["data"][:], dense.shape).todense() == dense).all()


def ragged_ones(client, formats):
    array = awkward.Array([{"x": 1, "y": [1.5]}, {"x": 2, "y": []}, {"x": 3, "y": [2.5, 3.5]}])
    client.write_awkward(array, key="awkward")
    path = "/awkward/full/awkward"
    names = zipfile.ZipFile(io.BytesIO(formats.get(path, "zip", "application/zip"))).namelist()
    assert names and all("-" in name for name in names)
    assert json.loads(formats.get(path, "json")) == array.to_list()
    found = pyarrow.feather.read_table(io.BytesIO(formats.get(path, "arrow", ARROW)))
    assert found["y"].to_pylist() == [[1.5], [], [2.5, 3.5]]
    assert pyarrow.parquet.read_table(io.BytesIO(formats.get(path, "parquet")))["x"].to_pylist() == [1, 2, 3]


def datasets(client, formats):
    dataset = xarray.Dataset(
        {"t2m": (("time", "x"), numpy.arange(12.0).reshape(4, 3), {"units": "K"}), "name": (("x",), ["a", "b", "é"])},
        coords={"time": pandas.date_range("2025-01-01", periods=4), "x": [10, 20, 30], "height": ((), 2.0)},
        attrs={"title": "example", "levels": [1, 2]},
    )
    from tiled.client.xarray import write_xarray_dataset

    write_xarray_dataset(client, dataset, key="dataset")
    path = "/container/full/dataset"
    frame = dataset.to_dataframe()
    for data, read in [
        (formats.get(path, "arrow", ARROW), pyarrow.feather.read_feather),
        (formats.get(path, "parquet"), pandas.read_parquet),
    ]:
        found = read(io.BytesIO(data))
        assert (found["t2m"].values == frame["t2m"].values).all() and (found["name"].values == frame["name"].values).all()
    for format in ("csv", "text/comma-separated-values", "text/plain"):
        found = pandas.read_csv(io.BytesIO(formats.get(path, format)))
        assert found["t2m"].tolist() == frame["t2m"].tolist()
    assert pandas.read_excel(io.BytesIO(formats.get(path, "xlsx")))["t2m"].tolist() == frame["t2m"].tolist()
    assert json.loads(formats.get(path, "json"))["t2m"] == frame["t2m"].tolist()
    html(formats.get(path, "html"))
    with h5py.File(io.BytesIO(formats.get(path, "h5"))) as file:
        assert (file["t2m"][:] == dataset["t2m"].values).all() and file["t2m"].attrs["units"] == "K"
    for format in ("nc", "application/netcdf"):
        found = xarray.open_dataset(io.BytesIO(formats.get(path, format)), engine="h5netcdf")
        xarray.testing.assert_equal(found.load(), dataset)
        assert set(found.coords) == {"time", "x", "height"} and found["t2m"].dims == ("time", "x")
        assert found.attrs["title"] == "example" and found["t2m"].attrs["units"] == "K"
    part = formats.get(path, "arrow", field=["time", "t2m"])
    assert set(pyarrow.feather.read_table(io.BytesIO(part)).column_names) >= {"time", "t2m"}


def containers(client, formats):
    inner = client.create_container("all", metadata=METADATA).create_container("inner", metadata={"a": {"b": [1, {}]}})
    values = numpy.arange(24, dtype="i4").reshape(4, 6)
    inner.write_array(values, key="values", metadata=METADATA, dims=["y", "x"])
    inner.write_array(numpy.arange(6) * 0.5, key="x", dims=["x"])
    inner.write_array(numpy.array(["p", "qé"]), key="names")
    frame = pandas.DataFrame({"n": [1, 2], "word": ["a", "b"]})
    inner.write_table(frame, key="table")
    array = awkward.Array([[1, 2], [], [3]])
    inner.write_awkward(array, key="awkward")
    path = "/container/full/all"
    # As Tiled, which can be asked for no more.
    formats.refused(path, "h5", 406, "contains types or structure")
    formats.refused(path, "h5", 406, "metadata=json")
    for format in ("h5", "hdf5", "application/x-hdf5"):
        with h5py.File(io.BytesIO(formats.get(path, format, "application/x-hdf5", metadata="json"))) as file:
            attributes = file.attrs
            assert json.loads(attributes["sample"]) == METADATA["sample"]
            assert json.loads(attributes["ragged"]) == METADATA["ragged"]
            assert json.loads(attributes["long"]) == METADATA["long"]
            assert attributes["temperature"] == 300.5 and attributes["ok"]
            assert json.loads(file["inner"].attrs["a"]) == {"b": [1, {}]}
            assert (file["inner/values"][:] == values).all()
            assert file["inner/names"].asstr()[:].tolist() == ["p", "qé"]
            assert file["inner/table/word"].asstr()[:].tolist() == ["a", "b"]
            group = file["inner/awkward"]
            structure = json.loads(group.attrs["structure"])
            buffers = {name: group[name][:].tobytes() for name in group}
            assert awkward.from_buffers(structure["form"], structure["length"], buffers).to_list() == array.to_list()
    data = formats.get(path, "nc", "application/x-netcdf")
    group = xarray.open_dataset(io.BytesIO(data), group="inner", engine="h5netcdf")
    assert group["values"].dims == ("y", "x") and (group["values"].values == values).all()
    assert group["x"].values.tolist() == [0.0, 0.5, 1.0, 1.5, 2.0, 2.5] and "x" in group.coords
    assert xarray.open_dataset(io.BytesIO(data), group="inner/table", engine="h5netcdf")["n"].values.tolist() == [1, 2]
    archive = zipfile.ZipFile(io.BytesIO(formats.get(path, "zip", "application/zip")))
    assert archive.testzip() is None
    assert json.loads(archive.read("metadata.json"))["metadata"] == METADATA
    assert (numpy.load(io.BytesIO(archive.read("inner/values.npy"))) == values).all()
    assert json.loads(archive.read("inner/values.metadata.json"))["structure"]["shape"] == [4, 6]
    pandas.testing.assert_frame_equal(
        pyarrow.feather.read_feather(io.BytesIO(archive.read("inner/table.arrow")))[["n", "word"]], frame, check_dtype=False
    )
    assert any(name.startswith("inner/awkward/node0") for name in archive.namelist())
    tree = json.loads(formats.get(path, "json", "application/json"))
    assert "values" in tree["contents"]["inner"]["contents"]


def main(url, key):
    client = from_uri(url, api_key=key)
    formats = Formats(url, key)
    for check in (arrays, tables, sparse_arrays, ragged_ones, datasets, containers):
        check(client, formats)
    sheet = openpyxl.load_workbook(io.BytesIO(formats.get("/table/full/table", "xlsx"))).active
    assert [cell.value for cell in sheet[1]] == ["n", "x", "word", "flag", "when"]


if __name__ == "__main__":
    main(*sys.argv[1:])
