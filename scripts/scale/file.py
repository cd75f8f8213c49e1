#!/usr/bin/env python3
"""file.py DIR [GIB...]: one file of 1, 5 and 20 GiB that compresses four to one, streamed in and streamed out into a comparison.

Snapshot, dump and verify --read-data of each: time, processor time, memory; the smallest is also restored to a file, out of
order. DIR is made, needs 6 GB beside the restored file, and is removed at the end. `just scale-file DIR` builds what it needs."""

import os, shutil, sys
from measure import Lbak, bytes_below, machine, new_folder, pipe, run, show


def main():
    folder = new_folder(sys.argv[1])
    sizes = [int(word) for word in sys.argv[2:]] or [1, 5, 20]
    machine()
    try:
        for gibibytes in sizes:
            measure(folder / str(gibibytes), gibibytes << 30, gibibytes == sizes[0])
            shutil.rmtree(folder / str(gibibytes))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def measure(folder, length, is_restored):
    scale = os.environ["BIN_SCALE"]
    folder.mkdir()
    lbak = Lbak(folder)

    def rate(took, other=None):
        cores = f", {took.cpu / took.wall:.2f} cores busy, {took.wanted:.1f} wanted"
        both = f", {(took.cpu + other.cpu) / took.wall:.2f} busy with the generator" if other else ""
        return f"{length / took.wall / 1e6:5.0f} MB/s{cores}{both}"

    print(f"one file of {length >> 30} GiB")
    made, took = pipe([scale, "stream", length], lbak.words("snapshot", "--stdin", "--stdin-name", "one"))
    stored = bytes_below(lbak.repository)
    show("  snapshot", took, f"{rate(took, made)}, stored 1 : {length / stored:.2f}")
    took, compared = pipe(lbak.words("dump", "latest:/one"), [scale, "compare", length])
    show("  dump", took, rate(took, compared))
    took = run(*lbak.words("verify", "--read-data"))
    show("  verify --read-data", took, rate(took))
    if is_restored:
        took = run(*lbak.words("restore", "latest", folder / "restored"))
        show("  restore to a file", took, rate(took))


main()
