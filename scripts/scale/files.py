#!/usr/bin/env python3
"""files.py DIR [COUNT]: many small files (a million unless told), 1 to 8 KiB each, a hundred in a directory.

First backup, unchanged backup beside `find -printf` of everything that lbak looks at, restore into a folder in memory.
With RESTIC or BUPSTASH naming one of those, it does the same beside it; with TREE naming files that `scale files` made, they are not made anew.
DIR is made, needs 12 GB (14 GB with both), and is removed at the end; 8 GB of memory take the restored files.
BIN_LBAK and BIN_SCALE name the programs; `just scale-files DIR` builds them."""

import json, os, shutil, subprocess, sys, time
from measure import Lbak, bytes_below, machine, middle, new_folder, run, show

ROUNDS = 5
# A file that changed less than a minute before it was read is read again the next time.
SETTLED = 61
# Not `%u %g`: find opens the list of users anew for every file.
LOOKED_AT = "%p %y %m %U %G %s %T@ %C@ %i %n\\n"


def main():
    folder = new_folder(sys.argv[1])
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 1_000_000
    scale = os.environ["BIN_SCALE"]
    memory = "/dev/shm/lbak-scale-%d" % os.getpid()
    try:
        measure(folder, count, scale, memory)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        shutil.rmtree(memory, ignore_errors=True)


def measure(folder, count, scale, memory):
    machine()
    tree = os.environ.get("TREE")
    if not tree:
        tree = folder / "tree"
        show("made", run(scale, "files", tree, count))
        os.sync()
        time.sleep(SETTLED)
    lbak = Lbak(folder)

    def rate(took):
        return f"{count / took.wall:9,.0f} files/s, {count / took.cpu:9,.0f} files per second of processor time"

    # Both find the names and inodes in memory.
    run("find", tree, "-printf", LOOKED_AT)
    took = run(*lbak.words("snapshot", tree))
    show("lbak first", took, f"{rate(took)}, {bytes_below(lbak.repository) / 1e6:,.0f} MB")
    found, again, alone = [], [], []
    for _ in range(ROUNDS):
        found.append(run("find", tree, "-printf", LOOKED_AT))
        again.append(run(*lbak.words("snapshot", tree)))
        alone.append(run(*lbak.words("snapshot", "--threads", 1, tree)))
    for name, runs in (("find -printf", found), ("lbak unchanged", again), ("lbak unchanged, 1 thread", alone)):
        show(name, middle(runs), rate(middle(runs)))
    print(f"rate of find reached: {middle(found).wall / middle(again).wall:.2f}")

    took = run(*lbak.words("restore", "latest", memory))
    show("lbak restore", took, rate(took))
    run(scale, "check", memory, count)
    shutil.rmtree(memory)
    for name, beside in (("RESTIC", beside_restic), ("BUPSTASH", beside_bupstash)):
        if name in os.environ:
            beside(os.environ[name], folder, tree, memory, rate)
            shutil.rmtree(memory)


def beside_restic(restic, folder, tree, memory, rate):
    os.environ.update(RESTIC_PASSWORD="scale", RESTIC_REPOSITORY=str(folder / "restic"), RESTIC_CACHE_DIR=str(folder / "cache"))
    run(restic, "init", "-q")
    took = run(restic, "backup", "-q", tree)
    show("restic first", took, f"{rate(took)}, {bytes_below(folder / 'restic') / 1e6:,.0f} MB")
    took = run(restic, "backup", "-q", tree)
    show("restic unchanged", took, rate(took))
    took = run(restic, "restore", "-q", "latest", "--target", memory)
    show("restic restore", took, rate(took))


def beside_bupstash(bupstash, folder, tree, memory, rate):
    repository, key = folder / "bupstash", folder / "bupstash.key"
    os.environ.update(BUPSTASH_REPOSITORY=str(repository), BUPSTASH_KEY=str(key))
    run(bupstash, "init")
    run(bupstash, "new-key", "-o", key)
    put = (bupstash, "put", "-q", "--send-log", folder / "send-log", tree)
    took = run(*put)
    show("bupstash first", took, f"{rate(took)}, {bytes_below(repository) / 1e6:,.0f} MB")
    took = run(*put)
    show("bupstash unchanged", took, rate(took))
    os.mkdir(memory)
    listed = subprocess.check_output([bupstash, "list", "--no-progress", "--format", "jsonl1"]).split(b"\n")
    newest = json.loads(listed[-2])["id"]
    took = run(bupstash, "restore", "-q", "--into", memory, f"id={newest}")
    show("bupstash restore", took, rate(took))


main()
