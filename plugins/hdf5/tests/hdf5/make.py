"""Makes the HDF5 files of these tests (h5py 3.16). Run it in this folder; the files are committed."""

import h5py
import numpy as np

COUNT = np.arange(30, dtype="i4").reshape(5, 6)

with h5py.File("types.h5", "w") as f:
    f.attrs["title"] = "Größe"
    f.attrs["bytes"] = np.bytes_(b"abc")
    f.attrs["empty"] = h5py.Empty("f4")
    f.attrs["floats"] = np.array([[0.1, np.nan]], "f4")
    f.attrs["flags"] = np.array([True, False])
    f.attrs["names"] = ["a", "bc"]
    f.attrs["big"] = np.uint64(2**64 - 1)
    f.attrs["pair"] = np.array((1, 2.5), [("n", "i4"), ("x", "f8")])
    f["big_endian"] = COUNT[0].astype(">i2")
    f["half"] = np.array([0.5, -2], "f2")
    f["flag"] = np.array([True, False, True])
    f["complex"] = np.array([1 + 2j, -3j], "c8")
    f.create_dataset("colour", data=[0, 2], dtype=h5py.enum_dtype({"RED": 0, "BLUE": 2}, "u1"))
    f["fixed"] = np.array([b"ab", b"", b"abcd"])
    f.create_dataset("texts", data=["x", "", "längst"], dtype=h5py.string_dtype())
    f.create_dataset("chunked_texts", data=[f"t{n}" * n for n in range(10)], dtype=h5py.string_dtype(),
                     chunks=(4,), compression="gzip")
    record = np.dtype({"names": ["a", "b", "s"], "formats": ["i1", ("<f4", (2,)), "S3"], "offsets": [0, 4, 12],
                       "itemsize": 16})
    f["records"] = np.array([(1, [1.5, 2.5], b"xy"), (-1, [0, 4], b"abc")], record)
    triples = f.create_dataset("triples", (2, 2), np.dtype(("<i8", (3,))))
    triples[...] = np.arange(12).reshape(2, 2, 3)
    f["scalar"] = 7
    f["none"] = np.zeros((0, 3), "f8")
    f["nothing"] = h5py.Empty("f8")
    f.create_dataset("reference", data=f["scalar"].ref, dtype=h5py.ref_dtype)
    f["type"] = np.dtype("f8")
    f["group"] = h5py.SoftLink("/group_itself")
    f.create_group("group_itself").attrs["own"] = 1

with h5py.File("layouts.h5", "w", userblock_size=512) as f:
    f["contiguous"] = COUNT
    f.create_dataset("gzip", data=COUNT, chunks=(2, 4), compression="gzip", shuffle=True, fletcher32=True)
    f.create_dataset("plain", data=COUNT, chunks=(2, 4))
    sparse = f.create_dataset("sparse", (5, 6), "i4", chunks=(2, 4), compression="gzip", fillvalue=-7)
    sparse[:2, :4] = COUNT[:2, :4]
    f.create_dataset("unwritten", (3,), "i4", fillvalue=9)
    create = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    create.set_layout(h5py.h5d.COMPACT)
    compact = h5py.h5d.create(f.id, b"compact", h5py.h5t.STD_I32LE, h5py.h5s.create_simple((5, 6)), create)
    compact.write(h5py.h5s.ALL, h5py.h5s.ALL, COUNT)
    f.create_dataset("scaled", data=COUNT, chunks=(2, 4), scaleoffset=0)
    bits = h5py.h5t.STD_U16LE.copy()
    bits.set_precision(12)
    odd = h5py.h5d.create(f.id, b"twelve_bits", bits, h5py.h5s.create_simple((6,)))
    odd.write(h5py.h5s.ALL, h5py.h5s.ALL, COUNT[0].astype("u2"))

with h5py.File("latest.h5", "w", libver="latest") as f:
    f.create_dataset("fixed", data=COUNT, chunks=(2, 4), compression="gzip")
    f.create_dataset("growing", data=COUNT, chunks=(2, 4), maxshape=(None, 6), compression="gzip")
    f.create_dataset("both", data=COUNT, chunks=(2, 4), maxshape=(None, None))
    f.create_dataset("one", data=COUNT, chunks=(5, 6), compression="gzip")

for number in range(2):
    with h5py.File(f"part{number}.h5", "w") as f:
        f["x"] = COUNT[:3] + 100 * number
        f["n"] = number

with h5py.File("links.h5", "w") as f:
    f["a/x"] = COUNT
    f["soft"] = h5py.SoftLink("/a/x")
    f["relative/up"] = h5py.SoftLink("nowhere")
    f["outside"] = h5py.ExternalLink("part1.h5", "/x")
    f["chain"] = h5py.ExternalLink("links.h5", "/outside")
    f["missing_file"] = h5py.ExternalLink("gone.h5", "/x")
    f["escape"] = h5py.ExternalLink("../../Cargo.toml", "/x")
    f["loop"] = h5py.SoftLink("/loop")
    f["a/root"] = f["/"]

with h5py.File("virtual.h5", "w") as f:
    layout = h5py.VirtualLayout((2, 3, 6), "i4")
    for number in range(2):
        layout[number] = h5py.VirtualSource(f"part{number}.h5", "x", (3, 6))
    f.create_virtual_dataset("stack", layout, fillvalue=-1)
    layout = h5py.VirtualLayout((4, 6), "i4")
    layout[:3] = h5py.VirtualSource("part0.h5", "x", (3, 6))
    layout[3] = h5py.VirtualSource("gone.h5", "x", (1, 6))[0]
    f.create_virtual_dataset("partly", layout)
    layout = h5py.VirtualLayout((6, 6), "i4")
    layout[0::2] = h5py.VirtualSource("part0.h5", "x", (3, 6))
    layout[1::2] = h5py.VirtualSource("part1.h5", "x", (3, 6))
    f.create_virtual_dataset("woven", layout)
    layout = h5py.VirtualLayout((1, 1), "u1")
    layout[:] = h5py.VirtualSource("../../Cargo.toml", "x", (1, 1))
    f.create_virtual_dataset("escape", layout)

with h5py.File("references.h5", "w") as f:
    f["a/x"] = COUNT
    f["a/same"] = f["a/x"]
    f["gone"] = 1
    f.attrs["one"] = f["a/x"].ref
    f.attrs["region"] = f["a/x"].regionref[:2]
    f.attrs.create("many", [f["a"].ref, f.ref, f["gone"].ref], dtype=h5py.ref_dtype)
    listed = np.empty(2, object)
    listed[0], listed[1] = np.array([f["a/x"].ref], h5py.ref_dtype), np.array([], h5py.ref_dtype)
    f.attrs.create("listed", listed, dtype=h5py.vlen_dtype(h5py.ref_dtype))
    f.attrs.create("paired", np.array([(f["a/x"].ref, 1)], [("to", h5py.ref_dtype), ("n", "i4")]))
    # 12 bits of the 32.
    for name, byte_order in (("some_bits", h5py.h5t.STD_I32LE), ("some_bits_big", h5py.h5t.STD_I32BE)):
        some = byte_order.copy()
        some.set_precision(12)
        some.set_offset(4)
        odd = h5py.h5d.create(f.id, name.encode(), some, h5py.h5s.create_simple((4,)))
        odd.write(h5py.h5s.ALL, h5py.h5s.ALL, np.array([0, 1, -2, 500], "i4"))
    del f["gone"]

with h5py.File("converted.h5", "w", libver="latest") as f:
    f["whole"] = np.array([-300, 0, 5, 70000], "i4")
    for name, data_type in (("as_floats", ">f8"), ("as_bytes", "i1")):
        layout = h5py.VirtualLayout((4,), data_type)
        layout[:] = h5py.VirtualSource(f["whole"])
        f.create_virtual_dataset(name, layout)
