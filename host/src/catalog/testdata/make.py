"""Writes tiled_0_2_20.sql: a catalog as Tiled 0.2.20 itself makes and fills it.

Needs `tiled[all]==0.2.20`. It makes files in a temporary directory, serves an empty catalog, registers the files
with `tiled register`, adds a node and changes its metadata. In the dump the directory is called /data.
Usage: python make.py > tiled_0_2_20.sql
"""

import pathlib
import sqlite3
import subprocess
import sys
import tempfile
import time

import h5py
import numpy
import tifffile

PORT = "18993"


def make_files(root):
    (root / "sub" / "deeper").mkdir(parents=True)
    for i in range(3):
        tifffile.imwrite(root / f"A000{i}.tif", numpy.full((3, 4), i, "u2"))
    (root / "table.csv").write_text("a,b\n1,x\n2,y\n")
    numpy.save(root / "single.npy", numpy.arange(6.0).reshape(2, 3))
    with h5py.File(root / "sub" / "f.h5", "w") as file:
        file["x"] = numpy.arange(5)
        file.attrs["color"] = "red"
        file.create_group("g")["y"] = 1.5
    numpy.save(root / "sub" / "deeper" / "arr.npy", numpy.ones((2,), "i4"))


def fill(database, root):
    run = [sys.executable, "-m", "tiled"]
    subprocess.run([*run, "catalog", "init", f"sqlite:///{database}"], check=True, stdout=sys.stderr)
    serve = [*run, "serve", "catalog", str(database), "-r", str(root), "--api-key", "secret", "--port", PORT]
    server = subprocess.Popen(serve, stdout=sys.stderr, stderr=sys.stderr)
    try:
        time.sleep(15)
        uri = f"http://127.0.0.1:{PORT}/api"
        subprocess.run([*run, "register", uri, "--api-key", "secret", str(root)], check=True, stdout=sys.stderr)
        from tiled.client import from_uri

        client = from_uri(uri, api_key="secret")
        nested = {"é": [1, "a", None, True, 1.5e300]}
        metadata = {"color": "red", "n": 1, "nested": nested, "z": None}
        node = client.create_container("meta", metadata=metadata, specs=["alpha"])
        node.update_metadata({"color": "blue"})
    finally:
        server.terminate()
        server.wait()


def dump(database, root):
    db = sqlite3.connect(database)
    derived = ("metadata_fts5", "nodes_closure", "sqlite_")
    print("-- Written by make.py with Tiled 0.2.20: its schema, then the rows that triggers do not fill.")
    for name, sql in db.execute("SELECT name, sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY rowid"):
        if not name.startswith(("metadata_fts5_", "sqlite_")):
            print(sql + ";")
    tables = [name for (name,) in db.execute("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY rowid")]
    # The closure's trigger adds the row of the root node itself.
    for name in tables:
        if not name.startswith(derived):
            columns = [column[1] for column in db.execute(f"PRAGMA table_info({name})")]
            for row in db.execute(f"SELECT {', '.join(f'quote({c!r})' for c in columns)} FROM {name}".replace("'", '"')):
                values = ", ".join(row).replace(str(root), "/data")
                print(f"INSERT INTO {name} VALUES ({values});")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as directory:
        base = pathlib.Path(directory)
        files = base / "files"
        files.mkdir()
        make_files(files)
        fill(base / "catalog.db", files)
        dump(base / "catalog.db", files)
