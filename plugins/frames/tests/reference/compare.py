"""Compares what `reference.rs` wrote down with what fabio (EDF, CBF), imageio (SPE) and mrcfile (MRC) read."""

import json
import sys
import warnings
from pathlib import Path

import numpy

warnings.simplefilter("ignore")


def served_dtype(kind: dict) -> numpy.dtype:
    if "fields" in kind:
        return numpy.dtype([(f["name"], served_dtype(f["dtype"])) for f in kind["fields"]])
    order = {"little": "<", "big": ">", "not_applicable": "|"}[kind["endianness"]]
    return numpy.dtype(f"{order}{kind['kind']}{kind['itemsize']}")


def reference(file: str, node: str) -> numpy.ndarray:
    suffix = file.removesuffix(".gz").rsplit(".")[-1]
    if suffix in ("edf", "cbf"):
        import fabio

        image = fabio.open(file)
        if image.nframes == 1:
            return image.data
        frames = [image.get_frame(number).data for number in range(image.nframes)]
        return frames[int(node)] if node else numpy.stack(frames)
    if suffix == "spe":
        import imageio.v3

        return numpy.stack(list(imageio.v3.imiter(file, plugin="SPE")))
    import mrcfile

    with mrcfile.open(file) as volume:
        return numpy.array(volume.data)


def problem(folder: Path, line: dict) -> str | None:
    why = line.get("error") or line.get("broken")
    if why is None and line["description"]["structure_family"] == "container":
        return None
    try:
        want = reference(line["file"], line["node"])
    except Exception as error:
        return None if why else f"served, but the reference says {error!r}"
    if why:
        return f"refused: {why}"
    structure = line["description"]["structure"]
    dtype = served_dtype(structure["data_type"])
    if dtype.newbyteorder("=") != want.dtype.newbyteorder("=") or tuple(structure["shape"]) != want.shape:
        return f"{dtype} {structure['shape']} instead of {want.dtype} {want.shape}"
    for read in line["reads"]:
        if "error" in read:
            return f"read {read['slice']}: {read['error']}"
        got = numpy.frombuffer((folder / read["values"]).read_bytes(), dtype)
        part = want
        for axis, (start, step, count) in enumerate(read["slice"]):
            part = part.take([start + step * i for i in range(count)], axis)
        if not numpy.array_equal(got.reshape(part.shape), part, equal_nan=dtype.kind in "fc"):
            return f"other values in {read['slice']}"
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
