"""Compares what `reference.rs` wrote down with what NumPy loads."""

import json
import sys
import zipfile
from pathlib import Path

import numpy


def served_dtype(kind: dict) -> numpy.dtype:
    if "fields" in kind:
        fields = [(f["name"], served_dtype(f["dtype"]), *([tuple(f["shape"])] if f["shape"] else [])) for f in kind["fields"]]
        return numpy.dtype(fields)
    order = {"little": "<", "big": ">", "not_applicable": "|"}[kind["endianness"]]
    size = kind["itemsize"] // (4 if kind["kind"] == "U" else 1)
    return numpy.dtype(f"{order}{kind['kind']}{size}{kind['dt_units'] or ''}")


def reference(file: str, node: str):
    if zipfile.is_zipfile(file):
        archive = numpy.load(file, allow_pickle=False)
        return archive[node] if node else archive
    return numpy.load(file, allow_pickle=False)


def picked(values: numpy.ndarray, dims: list) -> numpy.ndarray:
    for axis, (start, step, count) in enumerate(dims):
        values = values.take([start + step * i for i in range(count)], axis)
    return values


def packed(dtype: numpy.dtype) -> numpy.dtype:
    if dtype.names is None:
        return numpy.dtype((packed(dtype.base), dtype.shape)) if dtype.subdtype else dtype
    return numpy.dtype([(name, packed(dtype.fields[name][0])) for name in dtype.names])


def problem(folder: Path, line: dict) -> str | None:
    try:
        want = reference(line["file"], line["node"])
    except Exception as error:
        refused = line.get("error") or line.get("broken") or all("error" in read for read in line["reads"])
        return None if refused else f"served, but the reference says {error}"
    if why := line.get("error") or line.get("broken"):
        return f"refused: {why}"
    if line["description"]["structure_family"] == "container":
        return None
    structure = line["description"]["structure"]
    dtype, target = served_dtype(structure["data_type"]), packed(want.dtype)
    if dtype != target or tuple(structure["shape"]) != want.shape:
        return f"{dtype} {structure['shape']} instead of {target} {want.shape}"
    for read in line["reads"]:
        if "error" in read:
            return f"read {read['slice']}: {read['error']}"
        counts = [count for _, _, count in read["slice"]]
        raw = (folder / read["values"]).read_bytes()
        if dtype.itemsize and numpy.ascontiguousarray(picked(want, read["slice"]).astype(target)).tobytes() != raw:
            return f"other values in {read['slice']} {counts}"
    return None


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
