"""Compares what `reference.rs` wrote down with what astropy reads. Needs pyarrow, too.

What differs on purpose: undefined logicals, whole numbers that are TNULL and blank numbers of ASCII tables are null here;
a BLANK of 0 is honoured; a column of bytes with an offset of -128 is one of signed bytes.
"""

import json
import sys
import warnings
from pathlib import Path

import numpy
import pyarrow
import pyarrow.ipc
from astropy.io import fits

warnings.simplefilter("ignore")


def served_dtype(kind: dict) -> numpy.dtype:
    order = {"little": "<", "big": ">", "not_applicable": "|"}[kind["endianness"]]
    return numpy.dtype(f"{order}{kind['kind']}{kind['itemsize']}")


def hdus(file: str):
    return fits.open(file, memmap=False)


def find(opened, node: str):
    """The HDU of a node: keys are made as `hdu.rs` makes them."""
    names = [hdu.header.get("EXTNAME", "").strip().replace("/", "_") for hdu in opened]
    if not names[0]:
        names[0] = "PRIMARY"
    taken = {}
    for number, (hdu, name) in enumerate(zip(opened, names)):
        key = name or f"HDU{number}"
        if name and names.count(name) > 1:
            key = f"{name}_{hdu.header.get('EXTVER', 1)}"
        while key in taken:
            key = f"{key}_HDU{number}"
        taken[key] = hdu
    if node:
        return taken[node]
    return next(hdu for hdu in opened if hdu.header.get("NAXIS", 0) > 0)


def array_problem(folder: Path, line: dict, want) -> str | None:
    structure = line["description"]["structure"]
    dtype = served_dtype(structure["data_type"])
    if want is None:
        return None if 0 in structure["shape"] else "served, but the reference has no values"
    if dtype.newbyteorder("=") != want.dtype.newbyteorder("=") or tuple(structure["shape"]) != want.shape:
        return f"{dtype} {structure['shape']} instead of {want.dtype} {want.shape}"
    for read in line["reads"]:
        if "error" in read:
            return f"read {read['slice']}: {read['error']}"
        got = numpy.frombuffer((folder / read["values"]).read_bytes(), dtype)
        part = want
        for axis, (start, step, count) in enumerate(read["slice"]):
            part = part.take([start + step * i for i in range(count)], axis)
        if not numpy.array_equal(got.reshape(part.shape), part, equal_nan=dtype.kind == "f"):
            return f"other values in {read['slice']}"
    return None


def plain(value):
    """A cell as Python lists, numbers, texts."""
    if isinstance(value, bytes):
        value = value.decode("latin-1")
    if isinstance(value, str):
        return value.split("\0")[0].rstrip()
    if isinstance(value, numpy.ndarray):
        return [plain(item) for item in value]
    return value.item() if isinstance(value, numpy.generic) else value


def same(got, want) -> bool:
    if got is None:
        return True
    if isinstance(got, list):
        return isinstance(want, list) and len(got) == len(want) and all(map(same, got, want))
    return got == want or (got != got and want != want)


def table_problem(folder: Path, line: dict, hdu) -> str | None:
    if isinstance(line["rows"], dict):
        return line["rows"]["error"]
    with pyarrow.ipc.open_file(folder / line["rows"]) as reader:
        table = reader.read_all()
    if len(table) != len(hdu.data):
        return f"{len(table)} rows instead of {len(hdu.data)}"
    wanted = {}
    for number, name in enumerate(hdu.columns.names):
        values, form = hdu.data.field(number), str(hdu.columns[number].format)
        if form.startswith("0"):
            continue
        is_complex = values.dtype.kind == "c" or (values.dtype.kind == "O" and form.lstrip("0123456789")[1] in "CM")
        if is_complex:
            wanted[f"{name}.real"] = [numpy.real(value) for value in values]
            wanted[f"{name}.imag"] = [numpy.imag(value) for value in values]
        else:
            wanted[name] = list(values)
    if len(wanted) == len(table.column_names) and list(wanted) != table.column_names:
        wanted = dict(zip(table.column_names, wanted.values()))
    if list(wanted) != table.column_names:
        return f"columns {table.column_names} instead of {list(wanted)}"
    for name, values in wanted.items():
        got = table[name].to_pylist()
        for row, (have, want) in enumerate(zip(got, values)):
            if not same(have, plain(want)):
                return f"column {name}, row {row}: {str(have)[:80]} instead of {str(plain(want))[:80]}"
    return None


def problem(folder: Path, line: dict) -> str | None:
    why = line.get("error") or line.get("broken")
    if why is None and line["description"]["structure_family"] == "container":
        return None
    try:
        with hdus(line["file"]) as opened:
            hdu = find(opened, line["node"])
            if why is None and line["description"]["structure_family"] == "table":
                return table_problem(folder, line, hdu)
            want = hdu.data
            return f"refused: {why}" if why else array_problem(folder, line, want)
    except Exception as error:
        return None if why else f"served, but the reference says {error!r}"


def main() -> int:
    folder = Path(sys.argv[1])
    lines = [json.loads(line) for line in (folder / "nodes.jsonl").read_text().splitlines()]
    problems = 0
    for line in lines:
        if why := problem(folder, line):
            problems += 1
            print(f"{line['file']} {line['node']}: {why}")
    print(f"{len(lines)} nodes, {problems} problems")
    return bool(problems)


if __name__ == "__main__":
    sys.exit(main())
