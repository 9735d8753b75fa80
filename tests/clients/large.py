"""Answers of more than a gigabyte go out while they are made: the server's memory stays small.

    python large.py make FOLDER
    python large.py check URL PID
"""

import pathlib
import sys

import httpx
import numpy
import pyarrow
import pyarrow.parquet

ROWS = 70_000_000
SHAPE = (70, 2000, 4000)
BYTES = 8 * ROWS * 2
MIB = 1 << 20
MOST_MIB = 500


def make(folder):
    folder = pathlib.Path(folder)
    # Little on disk: a file with a hole, and a column that is compressed well.
    header = numpy.lib.format.header_data_from_array_1_0(numpy.empty((0,), "f8")) | {"shape": SHAPE, "fortran_order": False}
    (folder / "all").mkdir()
    with open(folder / "all" / "stack.npy", "wb") as file:
        numpy.lib.format.write_array_header_1_0(file, {**header, "descr": "<u2"})
        file.truncate(file.tell() + 2 * SHAPE[0] * SHAPE[1] * SHAPE[2])
    part = pyarrow.table({"a": numpy.zeros(ROWS // 70, "i8"), "b": numpy.ones(ROWS // 70)})
    with pyarrow.parquet.ParquetWriter(folder / "all" / "rows.parquet", part.schema) as writer:
        for _ in range(70):
            writer.write_table(part)


def memory(pid):
    """Of the process itself: pages of mapped files are the system's."""
    lines = pathlib.Path(f"/proc/{pid}/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("RssAnon:")).split()[1]) // 1024


def check(url, pid):
    stack = 2 * SHAPE[0] * SHAPE[1] * SHAPE[2]
    cases = [
        ("/array/full/all/stack", "application/octet-stream", stack),
        ("/array/full/all/stack", "npy", stack),
        ("/array/full/all/stack", "tiff", stack),
        ("/array/full/all/stack", "h5", stack),
        ("/table/full/all/rows", "arrow", BYTES),
        ("/table/full/all/rows", "h5", BYTES),
        ("/table/full/all/rows", "nc", BYTES),
        ("/container/full/all", "h5", stack + BYTES),
        ("/container/full/all", "zip", stack + BYTES),
    ]
    client = httpx.Client(timeout=300, headers={"Accept-Encoding": "identity"})
    for path, format, least in cases:
        before, peak, count = memory(pid), 0, 0
        with client.stream("GET", f"{url}/api/v1{path}", params={"format": format}) as answer:
            assert answer.status_code == 200, (path, format, answer.read()[:300])
            for number, piece in enumerate(answer.iter_raw(MIB)):
                count += len(piece)
                if number % 16 == 0:
                    peak = max(peak, memory(pid))
        print(path, format, f"{count / 1e6:.0f} MB, {peak} MiB at most, {before} before")
        assert count >= least, (path, format, count, least)
        assert peak < MOST_MIB, (path, format, peak)


if __name__ == "__main__":
    {"make": make, "check": check}[sys.argv[1]](*sys.argv[2:])
