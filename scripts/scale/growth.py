#!/usr/bin/env python3
"""growth.py DIR SVG [GB...]: snapshot, dump and verify --read-data of 1, 10 and 50 GB of the same kind of data; a plot as SVG.

The cost per byte must not grow, nor the memory. Processor time is plotted: it does not depend on what else the machine does.
DIR is made, needs a quarter of the largest size, and is removed at the end. `just scale-growth DIR` builds what it needs."""

import os, shutil, sys
from pathlib import Path
from measure import Lbak, machine, new_folder, pipe, run, show
from plot import plot


def main():
    folder, svg = new_folder(sys.argv[1]), Path(sys.argv[2])
    sizes = [float(word) for word in sys.argv[3:]] or [1, 10, 50]
    machine()
    seconds, memory = {}, {}
    try:
        for gigabytes in sizes:
            for verb, took in measure(folder / "here", int(gigabytes * 1e9)).items():
                seconds.setdefault(verb, []).append((gigabytes, took.cpu / gigabytes))
                memory.setdefault(verb, []).append((gigabytes, took.mib))
                show(f"{verb}, {gigabytes:g} GB", took, f"{took.cpu / gigabytes:.2f} s of processor time per GB")
            shutil.rmtree(folder / "here")
            svg.write_text(plot([("Processor seconds per GB", seconds), ("Peak memory, MiB", memory)], "GB of data"))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def measure(folder, length):
    scale = os.environ["BIN_SCALE"]
    folder.mkdir()
    lbak = Lbak(folder)
    _, snapshot = pipe([scale, "stream", length], lbak.words("snapshot", "--stdin", "--stdin-name", "one"))
    dump, _ = pipe(lbak.words("dump", "latest:/one"), [scale, "compare", length])
    return {"snapshot": snapshot, "restore": dump, "verify": run(*lbak.words("verify", "--read-data"))}


main()
