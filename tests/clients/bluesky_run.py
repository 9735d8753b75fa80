"""A container of the spec `BlueskyRun` is sent as documents by the plugin of that spec; other containers are not.

    python bluesky_run.py URL KEY
"""

import json
import sys

import httpx
import numpy
import pandas
from tiled.client import from_uri
from tiled.structures.core import Spec


def documents(answer):
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/json-seq"
    records = answer.content.split(b"\x1e")
    assert records[0] == b""
    return [json.loads(record) for record in records[1:]]


def main(url, key):
    client = from_uri(url, api_key=key)
    start, stop = {"uid": "abc", "time": 1.5, "plan_name": "count"}, {"run_start": "abc", "exit_status": "success"}
    run = client.create_container("run", metadata={"start": start, "stop": stop}, specs=[Spec("BlueskyRun", version="3.0")])
    descriptor = {"uid": "d1", "data_keys": {"x": {"dtype": "number"}}}
    primary = run.create_container("primary", metadata={"descriptors": [descriptor]}, specs=[Spec("BlueskyEventStream", version="3.0")])
    count = 1200
    table = pandas.DataFrame({
        "seq_num": numpy.arange(1, count + 1),
        "time": numpy.linspace(0, 1, count),
        "x": numpy.arange(count) / 7,
        "ts_x": numpy.linspace(0, 1, count),
        "label": [f"event {n}" for n in range(count)],
    })
    primary.write_table(table, key="internal")
    frames = numpy.arange(count * 6, dtype="uint16").reshape(count, 2, 3)
    primary.write_array(frames, key="image")
    client.create_container("plain").write_array(frames, key="image")

    http = httpx.Client(headers={"Authorization": f"Apikey {key}"})
    where = f"{url}/api/v1/container/full"
    found = documents(http.get(f"{where}/run?format=json-seq"))
    names = [document["name"] for document in found]
    assert names == ["start", "descriptor", *["event_page"] * 3, "stop"], names
    docs = [document["doc"] for document in found]
    assert (docs[0], docs[-1]) == (start, stop)
    assert docs[1] == {**descriptor, "name": "primary", "run_start": "abc"}
    pages = docs[2:-1]
    assert all(page["descriptor"] == "d1" for page in pages)

    def column(*path):
        values = []
        for page in pages:
            for part in path:
                page = page[part]
            values.extend(page)
        return values

    assert column("seq_num") == table["seq_num"].tolist()
    assert column("time") == table["time"].tolist()
    assert column("data", "x") == table["x"].tolist()
    assert column("timestamps", "x") == table["ts_x"].tolist()
    assert column("data", "label") == table["label"].tolist()
    assert column("data", "image") == frames.tolist()

    named = http.get(f"{where}/run?format=application/json-seq&filename=run.jsonl")
    assert named.headers["content-disposition"] == 'attachment; filename="run.jsonl"'
    other = http.get(f"{where}/plain?format=json-seq")
    assert other.status_code == 406 and "application/x-hdf5" in other.text, other.text
    formats = http.get(f"{url}/api/v1/").json()["formats"]
    assert formats["BlueskyRun"] == ["application/json-seq"], formats


if __name__ == "__main__":
    main(*sys.argv[1:])
