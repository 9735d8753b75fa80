"""Compares what `reference.rs` wrote down with what zarr-python reads."""

import json
import sys
from pathlib import Path

import numpy
import zarr


def served_dtype(kind: dict) -> numpy.dtype:
    if "fields" in kind:
        fields = [(f["name"], served_dtype(f["dtype"]), *([tuple(f["shape"])] if f["shape"] else [])) for f in kind["fields"]]
        return numpy.dtype(fields)
    order = {"little": "<", "big": ">", "not_applicable": "|"}[kind["endianness"]]
    size = kind["itemsize"] // (4 if kind["kind"] == "U" else 1)
    return numpy.dtype(f"{order}{kind['kind']}{size}{kind['dt_units'] or ''}")


def picked(values: numpy.ndarray, dims: list) -> numpy.ndarray:
    for axis, (start, step, count) in enumerate(dims):
        values = values.take([start + step * i for i in range(count)], axis)
    return values


def chunks(lengths: tuple, shape: tuple) -> list:
    return [[min(c, n - i) for i in range(0, n, c)] or [0] for c, n in zip(lengths, shape)]


def group_problem(line: dict, group: zarr.Group) -> str | None:
    metadata = line["description"]["metadata"]
    if metadata["attributes"] != json.loads(json.dumps(dict(group.attrs))):
        return f"attributes {metadata['attributes']}"
    if line["description"]["count"] != len(list(group)):
        return f"{line['description']['count']} members instead of {len(list(group))}"
    return None


def problem(folder: Path, line: dict) -> str | None:
    refused = line.get("error") or line.get("broken") or all("error" in read for read in line.get("reads", [{}]))
    try:
        node = zarr.open(line["file"], mode="r")
        node = node[line["node"]] if line["node"] else node
        if isinstance(node, zarr.Group):
            return f"refused: {refused}" if "error" in line or "broken" in line else group_problem(line, node)
        want = numpy.asarray(node[...], node.dtype if node.dtype.kind not in "OT" else None)
    except Exception as error:
        return None if refused else f"served, but the reference says {error!r:.200}"
    if refused:
        return f"refused: {line.get('error') or line.get('broken') or line['reads']}"
    structure = line["description"]["structure"]
    dtype = served_dtype(structure["data_type"])
    if want.dtype.kind in "OT":
        want = numpy.array(want.tolist(), str if want.dtype.kind == "T" else bytes)
    if dtype != want.dtype or tuple(structure["shape"]) != want.shape:
        return f"{dtype} {structure['shape']} instead of {want.dtype} {want.shape}"
    if structure["chunks"] != chunks(node.chunks, node.shape):
        return f"chunks {structure['chunks']} instead of {chunks(node.chunks, node.shape)}"
    for read in line["reads"]:
        if "error" in read:
            return f"read {read['slice']}: {read['error']}"
        raw = (folder / read["values"]).read_bytes()
        if dtype.itemsize and numpy.ascontiguousarray(picked(want, read["slice"])).astype(dtype).tobytes() != raw:
            return f"other values in {read['slice']}"
    return None


def main() -> int:
    folder = Path(sys.argv[1])
    lines = [json.loads(line) for line in (folder / "nodes.jsonl").read_text().splitlines()]
    problems = 0
    for line in lines:
        if why := problem(folder, line):
            problems += 1
            print(f"{line['file']} /{line['node']}: {why}")
    print(f"{len(lines)} nodes, {problems} problems")
    return bool(problems)


if __name__ == "__main__":
    sys.exit(main())
