"""Makes the stores of `tests/data` and `expected.json`: what zarr-python reads of them.

    python tests/reference/make.py tests/data
"""

import json
import shutil
import sys
import warnings
import zlib
from pathlib import Path

import numcodecs
import numpy
import zarr
from zarr.codecs import BloscCodec, BytesCodec, Crc32cCodec, GzipCodec, ShardingCodec, TransposeCodec, ZstdCodec

RECORD = numpy.dtype([("a", "<i4"), ("b", "S3"), ("c", "<f8")])
TYPES = {"bool": "?", "i1": "i1", "u2": "<u2", "i4": "<i4", "u8": "<u8", "f2": "<f2", "f4": "<f4", "f8": "<f8", "c16": "<c16",
         "bytes": "S5", "text": "<U4", "time": "<M8[25s]", "span": "<m8[us]", "void": "V7", "record": RECORD}


def values(dtype: numpy.dtype, shape: tuple) -> numpy.ndarray:
    count = int(numpy.prod(shape, dtype=int))
    if dtype.names:
        array = numpy.zeros(shape, dtype)
        for name in dtype.names:
            array[name] = values(dtype[name], shape)
        return array
    numbers = numpy.arange(count) * 7 % 101
    if dtype.kind in "SU":
        return numpy.array(["abcdefg"[: n % 5] for n in numbers]).astype(dtype).reshape(shape)
    if dtype.kind == "V":
        return numpy.frombuffer((numbers.astype("u1").tobytes() * dtype.itemsize)[: count * dtype.itemsize], dtype).reshape(shape)
    return numbers.astype("i8").astype(dtype).reshape(shape)


def add(group: zarr.Group, name: str, dtype, shape=(5, 7), chunks=(3, 4), **more) -> None:
    dtype = numpy.dtype(dtype)
    group.create_array(name, shape=shape, chunks=chunks, dtype=dtype, **more)[...] = values(dtype, shape)


def version_3(path: Path) -> None:
    root = zarr.open_group(path, mode="w", zarr_format=3, attributes={"title": "é", "nested": {"x": [1, None, 2.5]}})
    for number, (name, dtype) in enumerate(TYPES.items()):
        add(root, name, dtype, compressors=[[BloscCodec()], [ZstdCodec()], None][number % 3])
    codecs = root.create_group("codecs")
    add(codecs, "gzip", "<i4", compressors=[GzipCodec(), Crc32cCodec()])
    add(codecs, "big", "<i4", serializer=BytesCodec(endian="big"))
    add(codecs, "transpose", "<i4", (5, 7, 3), (3, 4, 2), filters=[TransposeCodec(order=(2, 0, 1))])
    add(codecs, "bitshuffle", "<i4", (64, 64), (40, 64), compressors=[BloscCodec(cname="zstd", shuffle="bitshuffle")])
    inner = ShardingCodec(chunk_shape=(4, 4), codecs=[BytesCodec(), ZstdCodec()], index_location="start")
    add(codecs, "shards", "<u2", (20, 12), (8, 8), serializer=inner, compressors=None)
    some = codecs.create_array("missing", shape=(9, 8), chunks=(4, 4), dtype="<f4", fill_value=numpy.nan, dimension_names=["y", "x"])
    some[4:8, 0:4] = 1
    add(codecs, "scalar", "<f8", (), ())
    add(codecs, "empty", "<f8", (0, 3), (1, 3))
    texts = codecs.create_array("texts", shape=(5,), chunks=(2,), dtype=str)
    texts[:] = numpy.array(["a", "", "längste €😀", "b", "c"], dtype=object)


def version_2(path: Path) -> None:
    root = zarr.open_group(path, mode="w", zarr_format=2, attributes={"title": "two"})
    for name, dtype in {**TYPES, "big": ">i4", "bigtext": ">U4"}.items():
        add(root, name, dtype)
    codecs = root.create_group("codecs")
    compressors = [numcodecs.Blosc("lz4"), numcodecs.Zlib(), numcodecs.GZip(), numcodecs.BZ2(), numcodecs.LZ4(), numcodecs.LZMA()]
    for compressor in compressors:
        add(codecs, compressor.codec_id, "<i4", compressors=[compressor], order="F")
    filters = [numcodecs.Delta("<i4", "<i2"), numcodecs.Shuffle(4), numcodecs.CRC32(), numcodecs.Adler32(), numcodecs.Fletcher32()]
    for one in filters:
        add(codecs, one.codec_id, "<i4", filters=[one], compressors=None)
    scale = numcodecs.FixedScaleOffset(offset=10, scale=100, dtype="<f8", astype="<i2")
    add(codecs, "fixedscaleoffset", "<f8", filters=[scale])
    add(codecs, "packbits", "?", filters=[numcodecs.PackBits()])
    texts = codecs.create_array("texts", shape=(5,), chunks=(2,), dtype=str)
    texts[:] = numpy.array(["a", "", "längste €😀", "b", "c"], dtype=object)


def expected(node, path: str, found: dict) -> dict:
    if isinstance(node, zarr.Group):
        found[path] = {"attributes": dict(node.attrs), "members": sorted(node)}
        for name in sorted(node):
            expected(node[name], f"{path}/{name}" if path else name, found)
        return found
    array = numpy.asarray(node[...], node.dtype if node.dtype.kind != "T" else None)
    if array.dtype.kind == "T":
        array = numpy.array(array.tolist(), str)
    dims = list(node.metadata.dimension_names) if getattr(node.metadata, "dimension_names", None) else None
    found[path] = {"dtype": "record" if array.dtype.names else array.dtype.str, "shape": array.shape, "chunks": node.chunks,
                   "dims": dims, "crc32": zlib.crc32(numpy.ascontiguousarray(array).tobytes())}
    return found


def main() -> None:
    warnings.simplefilter("ignore")
    data, stores = Path(sys.argv[1]), {}
    for name, make in {"v2.zarr": version_2, "v3.zarr": version_3}.items():
        shutil.rmtree(data / name, ignore_errors=True)
        make(data / name)
        stores[name] = expected(zarr.open(data / name, mode="r"), "", {})
    (data / "expected.json").write_text(json.dumps(stores, indent=1, ensure_ascii=False))


if __name__ == "__main__":
    main()
