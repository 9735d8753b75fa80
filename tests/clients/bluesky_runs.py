"""Bluesky's own TiledWriter writes runs, its BlueskyRun client reads them; both must agree with the documents.

    python bluesky_runs.py URL KEY FOLDER

Files of detectors go below FOLDER, which the server may read.
"""

import sys
from pathlib import Path

import dask
import h5py
import numpy
from bluesky import RunEngine
from bluesky import plan_stubs as stubs
from bluesky import plans
from bluesky import preprocessors
from bluesky_tiled_plugins.clients.bluesky_event_stream import DATAVALUES, TIMESTAMPS
from bluesky_tiled_plugins.writing.tiled_writer import TiledWriter
from event_model import compose_run
from ophyd.sim import det, det1, motor, motor1, motor2
from tiled.client import from_uri
from tiled.queries import Eq, Key
from tiled.utils import path_from_uri


class Documents:
    """What was said, by kind."""

    def __init__(self):
        self.all = []

    def __call__(self, name, doc):
        self.all.append((name, dict(doc)))

    def of(self, kind):
        return [doc for name, doc in self.all if name == kind]

    def events(self, stream):
        uids = {doc["uid"] for doc in self.of("descriptor") if doc["name"] == stream}
        events = [doc for doc in self.of("event") if doc["descriptor"] in uids]
        for page in self.of("event_page"):
            if page["descriptor"] in uids:
                for i, number in enumerate(page["seq_num"]):
                    data = {key: values[i] for key, values in page["data"].items()}
                    times = {key: values[i] for key, values in page["timestamps"].items()}
                    events.append({"seq_num": number, "time": page["time"][i], "data": data, "timestamps": times})
        return sorted(events, key=lambda doc: doc["seq_num"])


def without_numbers(value):
    """JSON has lists where Python has tuples."""
    if isinstance(value, dict):
        return {key: without_numbers(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [without_numbers(item) for item in value]
    return value.item() if isinstance(value, numpy.generic) else value


def check(client, documents, streams):
    """A run is what its documents say."""
    (start,), (stop,) = documents.of("start"), documents.of("stop")
    run = client[start["uid"]]
    assert type(run).__name__ == "BlueskyRunV3", type(run)
    assert without_numbers(dict(run.start)) == without_numbers(start), run.start
    assert without_numbers(dict(run.stop)) == without_numbers(stop), run.stop
    assert run.stop["exit_status"] == "success"
    assert list(run) == sorted(streams), list(run)
    for stream in streams:
        events = documents.events(stream)
        (descriptor, *_) = [doc for doc in documents.of("descriptor") if doc["name"] == stream]
        node = run[stream]
        assert dict(node.metadata["data_keys"]).keys() == descriptor["data_keys"].keys()
        if not events:
            continue
        data = node.read()
        assert set(data.data_vars) | set(data.coords) >= {"time", *events[0]["data"]}, data
        # All columns, also those that are no data.
        everything = node.read(variables=(DATAVALUES, TIMESTAMPS, "seq_num"))
        assert len(data["time"]) == len(events) == stop["num_events"][stream]
        assert list(everything["seq_num"].values) == [event["seq_num"] for event in events]
        assert list(data["time"].values) == [event["time"] for event in events]
        for key in events[0]["data"]:
            wanted = numpy.array([event["data"][key] for event in events])
            found = numpy.stack([numpy.asarray(value) for value in data[key].values])
            assert numpy.array_equal(found, wanted), (stream, key, found, wanted)
            stamps = [event["timestamps"][key] for event in events]
            assert list(everything[f"ts_{key}"].values) == stamps, (stream, key)
    return run


def run_plan(engine, client, plan, streams, **options):
    documents = Documents()
    writer = TiledWriter(client, **options)
    tokens = [engine.subscribe(documents), engine.subscribe(writer)]
    try:
        engine(plan)
    finally:
        for token in tokens:
            engine.unsubscribe(token)
    return check(client, documents, streams), documents


class Picture:
    """A detector whose readings are small arrays: they go into the table, or beside it where they are large."""

    def __init__(self, name, shape):
        self.name, self.shape, self.parent = name, shape, None
        self.count = 0

    def trigger(self):
        from ophyd.status import Status

        self.count += 1
        status = Status()
        status.set_finished()
        return status

    def read(self):
        values = numpy.arange(numpy.prod(self.shape), dtype="float64").reshape(self.shape) + self.count
        return {self.name: {"value": values.tolist(), "timestamp": 1000.0 + self.count}}

    def describe(self):
        return {
            self.name: {
                "source": "made here",
                "dtype": "array",
                "shape": list(self.shape),
                "dtype_numpy": "<f8",
            }
        }

    def read_configuration(self):
        return {}

    def describe_configuration(self):
        return {}


@preprocessors.run_decorator(md={"purpose": "two streams"})
def two_streams():
    for n in range(3):
        yield from stubs.mv(motor, n)
        yield from stubs.trigger_and_read([det, motor], name="primary")
        yield from stubs.trigger_and_read([motor], name="baseline")


def with_files(client, folder):
    """A stream of frames in an HDF5 file that the detector, not the writer, has written."""
    path = Path(folder) / "frames.h5"
    frames = numpy.arange(5 * 4 * 3, dtype="uint16").reshape(5, 4, 3)
    with h5py.File(path, "w") as file:
        file.create_dataset("entry/data", data=frames, chunks=(1, 4, 3))
    documents = Documents()
    writer = TiledWriter(client)

    def emit(name, doc):
        documents(name, doc)
        writer(name, doc)

    bundle = compose_run(metadata={"plan_name": "fly", "scan_id": 77})
    emit("start", bundle.start_doc)
    described = bundle.compose_descriptor(
        name="primary",
        data_keys={
            "frames": {
                "source": "camera",
                "dtype": "array",
                "dtype_numpy": "<u2",
                "shape": [1, 4, 3],
                "external": "STREAM:",
            },
            "level": {"source": "gauge", "dtype": "number", "dtype_numpy": "<f8", "shape": []},
        },
    )
    emit("descriptor", described.descriptor_doc)
    resource = bundle.compose_stream_resource(
        mimetype="application/x-hdf5",
        uri=f"file://localhost{path}",
        data_key="frames",
        parameters={"dataset": "entry/data", "chunk_shape": (1, 4, 3), "swmr": False},
    )
    emit("stream_resource", resource.stream_resource_doc)
    for n in range(5):
        datum = resource.compose_stream_datum(
            indices={"start": n, "stop": n + 1}, seq_nums={"start": n + 1, "stop": n + 2},
            descriptor=described.descriptor_doc,
        )
        emit("stream_datum", datum)
        emit("event", described.compose_event(
            data={"level": n / 2}, timestamps={"level": 50.0 + n}, filled={}, seq_num=n + 1
        ))
    emit("stop", bundle.compose_stop())
    run = check(client, documents, ["primary"])
    found = run["primary", "frames"].read()
    assert found.dtype == frames.dtype and numpy.array_equal(found.reshape(frames.shape), frames)
    whole = run["primary"].read()
    assert numpy.array_equal(numpy.asarray(whole["frames"]).reshape(frames.shape), frames)
    (source,) = run["primary"].base["frames"].include_data_sources().data_sources()
    assert source.management == "external" and path_from_uri(source.assets[0].data_uri) == path


def main(url, key, folder):
    # Or else the client has text where a column has lists.
    dask.config.set({"dataframe.convert-string": False})
    engine = RunEngine({})
    client = from_uri(url, api_key=key)
    runs = [
        run_plan(engine, client, plans.count([det], num=4), ["primary"]),
        run_plan(engine, client, plans.scan([det], motor, -1, 1, 7), ["primary"]),
        # Every event at once, as in live use.
        run_plan(engine, client, plans.scan([det], motor, -1, 1, 5, md={"live": True}), ["primary"], batch_size=1),
        run_plan(engine, client, plans.grid_scan([det1], motor1, 0, 2, 3, motor2, -1, 1, 3), ["primary"]),
        run_plan(engine, client, two_streams(), ["baseline", "primary"]),
        run_plan(engine, client, plans.count([Picture("small", (3,)), Picture("large", (8, 5))], num=3), ["primary"]),
    ]
    with_files(client, folder)
    fresh = from_uri(url, api_key=key)
    assert len(fresh) == len(runs) + 1
    found = fresh.search(Key("start.plan_name") == "grid_scan")
    assert list(found) == [runs[3][0].start["uid"]], list(found)
    assert len(fresh.search(Eq("start.live", True))) == 1


if __name__ == "__main__":
    main(*sys.argv[1:])
