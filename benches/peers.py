#!/usr/bin/env python3
"""peers.py [--rounds N] [--tools A,B…] [--work DIR] [--restore-to DIR] [--json FILE] OLD NEW [TREE…]

Runs lbak, restic, rustic, bupstash and borg through the same life, one after another, and prints what each step took:

  first     OLD into a new repository
  again     nothing has changed
  changed   NEW has taken OLD's place, under the same path
  restore   the newest backup into an empty folder, compared with its source afterwards
  check     everything that is stored is read and checked

Each TREE further on is a data set of its own, without `changed`. Programs are found on PATH, or where BIN_LBAK, BIN_RESTIC, …
say; one that is not there is left out, and that is said. `just bench-peers OLD NEW` builds lbak first.

What is the same for all: the trees are copies in DIR that nobody else touches; all of a data set is read once before each life, and
the repository before `restore` and `check`, so that all find the page cache warm; as much room as a restore needs is taken and given
back just before it; every program has a cache folder of its own, and
its own default level of compression. lbak and bupstash open with a key file, the others with a password, which costs them a
tenth of a second or so at every step. What takes turns are the programs: lbak, restic, …, lbak, restic, … with every round. Of the
copies and repositories nothing is removed before the end, because ext4 creates files several times slower for a while after many were removed.

A step is one process with all that it starts: seconds by the clock, seconds of processor time, the memory of its largest process
(never less than this script's own).
Shown are medians of the rounds. Figures of one call can be compared with one another, and with nothing else."""

import argparse, filecmp, json, os, re, shutil, stat, statistics, subprocess, sys, tempfile, time
from pathlib import Path

STEPS = ["first", "again", "changed", "restore", "check"]
# lbak does not take on trust files that were changed less than a minute before it read them; a tree that lies about for days has none.
SETTLED_AFTER_SECONDS = 62


class Tool:
    """How one program is asked for the steps. `place` is a folder of its own."""

    def __init__(self, name, place):
        self.name, self.place, self.backups = name, place, 0
        self.program = program(name)
        self.repository, self.cache, self.key = place / "repository", place / "cache", place / "key"
        self.environment = {word: value for word, value in os.environ.items() if not word.startswith(PREFIXES)}
        self.environment.update(HOME=str(place), XDG_CACHE_HOME=str(self.cache), XDG_CONFIG_HOME=str(place / "config"), NO_COLOR="1")
        self.cache.mkdir()

    def words(self, *words):
        return [self.program, *map(str, words)]

    def run(self, *words, cwd=None):
        return run(self.words(*words), self.environment, cwd)

    def output(self, *words):
        done = subprocess.run(self.words(*words), env=self.environment, capture_output=True, text=True)
        if done.returncode != 0:
            raise Failed(f"{self.name} {words[0]}: {done.stderr.strip()[-500:]}")
        return done.stdout

    def version(self):
        done = subprocess.run([self.program, "version" if self.name == "restic" else "--version"], capture_output=True, text=True)
        return (done.stdout or done.stderr).strip().splitlines()[0]


class Lbak(Tool):
    def init(self):
        self.environment.update(LBAK_REPOSITORY=str(self.repository), LBAK_KEY_FILE=str(self.key))
        self.run("init", "-q")

    def backup(self, source):
        return self.run("snapshot", "-q", source)

    def restore(self, target, _source):
        return self.run("restore", "-q", "latest", target)

    def check(self):
        return self.run("verify", "-q", "--read-data")


class Restic(Tool):
    def init(self):
        self.environment.update(RESTIC_PASSWORD="peers", RESTIC_REPOSITORY=str(self.repository), RESTIC_CACHE_DIR=str(self.cache))
        self.run("init", "-q")

    def backup(self, source):
        return self.run("backup", "-q", source)

    def restore(self, target, _source):
        return self.run("restore", "-q", "latest", "--target", target)

    def check(self):
        return self.run("check", "-q", "--read-data")


class Rustic(Tool):
    def init(self):
        self.environment.update(RUSTIC_PASSWORD="peers", RUSTIC_REPOSITORY=str(self.repository), RUSTIC_CACHE_DIR=str(self.cache))
        self.environment.update(RUSTIC_NO_PROGRESS="true", RUSTIC_LOG_LEVEL="error")
        self.run("init")

    def backup(self, source):
        return self.run("backup", source)

    def restore(self, target, source):
        return self.run("restore", f"latest:{source}", target)

    def check(self):
        return self.run("check", "--read-data")


class Bupstash(Tool):
    """It has no check of a whole repository: the newest backup is read to its end instead."""

    def init(self):
        self.environment.update(BUPSTASH_REPOSITORY=str(self.repository), BUPSTASH_KEY=str(self.key))
        self.run("init")
        self.run("new-key", "-o", self.key)

    def backup(self, source):
        return self.run("put", "-q", "--send-log", self.place / "send-log", source)

    def newest(self):
        listed = self.output("list", "--no-progress", "--format", "jsonl1").splitlines()
        return "id=" + re.search(r'"id":\s*"([0-9a-f]+)"', listed[-1]).group(1)

    def restore(self, target, _source):
        return self.run("restore", "-q", "--into", target, self.newest())

    def check(self):
        return self.run("get", "-q", self.newest())


class Borg(Tool):
    def init(self):
        self.environment.update(BORG_PASSPHRASE="peers", BORG_REPO=str(self.repository), BORG_BASE_DIR=str(self.place))
        self.run("init", "-e", "repokey-blake2")

    def backup(self, source):
        self.backups += 1
        return self.run("create", f"::{self.backups}", source)

    def restore(self, target, _source):
        return self.run("extract", f"::{self.backups}", cwd=target)

    def check(self):
        return self.run("check", "--verify-data")


TOOLS = {"lbak": Lbak, "restic": Restic, "rustic": Rustic, "bupstash": Bupstash, "borg": Borg}
PREFIXES = ("LBAK_", "RESTIC_", "RUSTIC_", "BUPSTASH_", "BORG_")


class Failed(Exception):
    pass


def program(name):
    found = shutil.which(os.environ.get(f"BIN_{name.upper()}", name))
    return found and os.path.abspath(found)


def run(words, environment, cwd):
    """Runs one program to its end; whatever it says is kept for the case that it fails."""
    with tempfile.TemporaryFile() as said:
        begun = time.monotonic()
        process = subprocess.Popen(words, env=environment, cwd=cwd, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=said)
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.monotonic() - begun
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode != 0:
            said.seek(0)
            raise Failed(f"exit code {process.returncode}: {' '.join(words)}\n{said.read()[-800:].decode(errors='replace')}")
    return {"wall": wall, "cpu": usage.ru_utime + usage.ru_stime, "mib": usage.ru_maxrss / 1024}


def read_all(folder):
    for place, _, files in os.walk(folder):
        for name in files:
            path = os.path.join(place, name)
            if not os.path.islink(path):
                with open(path, "rb") as file:
                    while file.read(1 << 20):
                        pass


def fetch_memory(folder, size):
    """A virtual machine hands memory that is free back to its host, and waits for it when it is wanted again: whoever restores is not to."""
    # Written, not only asked for: pages that nobody has touched are not there yet.
    block = bytes(1 << 20)
    with tempfile.TemporaryFile(dir=folder, buffering=0) as file:
        for _ in range((size + size // 4) // len(block)):
            file.write(block)


def bytes_below(folder):
    return sum(path.lstat().st_size for path in Path(folder).rglob("*") if path.is_file())


def differences(source, restored):
    """How many names, kinds, contents and link targets differ, and how many modes or times of those that do not."""
    contents = metadata = 0
    names = set(os.listdir(source)), set(os.listdir(restored))
    contents += len(names[0] ^ names[1])
    for name in names[0] & names[1]:
        one, other = os.path.join(source, name), os.path.join(restored, name)
        here, there = os.lstat(one), os.lstat(other)
        if stat.S_IFMT(here.st_mode) != stat.S_IFMT(there.st_mode):
            contents += 1
            continue
        if stat.S_ISDIR(here.st_mode):
            below = differences(one, other)
            contents, metadata = contents + below[0], metadata + below[1]
        elif stat.S_ISLNK(here.st_mode):
            contents += os.readlink(one) != os.readlink(other)
            continue
        elif stat.S_ISREG(here.st_mode):
            contents += not filecmp.cmp(one, other, shallow=False)
        metadata += here.st_mode != there.st_mode or here.st_mtime_ns != there.st_mtime_ns
    return contents, metadata


def find_restored(target, source):
    """Some restore the folder's content, some the folder, some its whole path."""
    for place in (target / str(source).lstrip("/"), target / source.name, target):
        if place.is_dir():
            return place
    raise Failed(f"nothing was restored to {target}")


class Trees:
    """Copies of the trees of one data set; one of them has the path that is backed up."""

    def __init__(self, work, number, trees):
        self.live, self.copies, self.current = work / f"data-{number}" / "tree", [], None
        self.live.parent.mkdir()
        for version, tree in enumerate(trees):
            copy = self.live.parent / f"version-{version}"
            subprocess.run(["cp", "-a", "--reflink=auto", tree, copy], check=True)
            self.copies.append(copy)

    def show(self, version):
        if self.current is not None:
            self.live.rename(self.copies[self.current])
        self.copies[version].rename(self.live)
        self.current = version
        read_all(self.live)


def life(tool, trees, target):
    """All steps of one program; what each took, and what was stored."""
    took = {"tool": tool.name}
    trees.show(0)
    tool.init()
    took["first"] = tool.backup(trees.live)
    took["stored"] = bytes_below(tool.repository)
    took["again"] = tool.backup(trees.live)
    if len(trees.copies) > 1:
        trees.show(1)
        took["changed"] = tool.backup(trees.live)
        took["stored_both"] = bytes_below(tool.repository)
    read_all(tool.repository)
    fetch_memory(target, bytes_below(trees.live))
    took["restore"] = tool.restore(target, trees.live)
    took["differ"], took["metadata_differ"] = differences(trees.live, find_restored(target, trees.live))
    read_all(tool.repository)
    took["check"] = tool.check()
    return took


def middle(lives, step, what):
    return statistics.median(life[step][what] for life in lives)


def show(rows, tools):
    steps = [step for step in STEPS if step in rows[0]]
    stored = [field for field in ("stored", "stored_both") if field in rows[0]]
    print("\n| wall s / CPU s / peak MiB | " + " | ".join(steps) + " | MB stored, first" + (" / both |" if len(stored) > 1 else " |"))
    print("|---|" + "---|" * (len(steps) + 1))
    lives = {name: [row for row in rows if row["tool"] == name] for name in tools}
    for name, own in lives.items():
        cells = ["{:.2f} / {:.2f} / {:.0f}".format(*(middle(own, step, what) for what in ("wall", "cpu", "mib"))) for step in steps]
        cells.append(" / ".join(f"{statistics.median(row[field] for row in own) / 1e6:.1f}" for field in stored))
        print(f"| {name} | " + " | ".join(cells) + " |")
    peers = [name for name in lives if name != "lbak"]
    if "lbak" in lives and peers:
        show_ratios(lives, peers, steps, stored)
    for row in rows:
        if row["differ"] or row["metadata_differ"]:
            print(f"{row['tool']}: of what it restored, {row['differ']} differ, and modes or times of {row['metadata_differ']}")


def show_ratios(lives, peers, steps, stored):
    """lbak's share of what a peer needs: below one is less."""
    print("\n| lbak's share: wall, CPU | " + " | ".join(steps) + " | stored |\n|---|" + "---|" * (len(steps) + 1))

    def ratio(peer, step, what):
        return middle(lives["lbak"], step, what) / max(middle(lives[peer], step, what), 0.001)

    def size(peer, field):
        return statistics.median(row[field] for row in lives["lbak"]) / statistics.median(row[field] for row in lives[peer])

    for peer in peers:
        cells = [f"{ratio(peer, step, 'wall'):.2f}, {ratio(peer, step, 'cpu'):.2f}" for step in steps]
        print(f"| of {peer} | " + " | ".join(cells) + " | " + " / ".join(f"{size(peer, field):.2f}" for field in stored) + " |")
    cells = [f"{max(ratio(peer, step, 'wall') for peer in peers):.2f}, {max(ratio(peer, step, 'cpu') for peer in peers):.2f}" for step in steps]
    print("| of the best | " + " | ".join(cells) + " | " + " / ".join(f"{max(size(peer, field) for peer in peers):.2f}" for field in stored) + " |")


def machine():
    """The class of the machine, without names."""
    model = next((line.split(":", 1)[1].strip() for line in open("/proc/cpuinfo") if "model name" in line), "unknown")
    memory = next(int(line.split()[1]) for line in open("/proc/meminfo") if line.startswith("MemTotal"))
    return f"{os.cpu_count()} cores, {model}, {memory / 2**20:.0f} GiB, kernel {os.uname().release.split('-')[0]}"


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--tools", default=",".join(TOOLS), help="which, in this order (default: %(default)s)")
    parser.add_argument("--work", default=tempfile.gettempdir(), help="folder for copies and repositories: a copy of each tree and the repositories of all rounds")
    parser.add_argument("--restore-to", default="/dev/shm", help="where restores go; in memory by default, so that no disk is measured")
    parser.add_argument("--json", help="a file for every single figure")
    parser.add_argument("old")
    parser.add_argument("new")
    parser.add_argument("more", nargs="*")
    return parser.parse_args()


def main():
    options = arguments()
    tools = options.tools.split(",")
    if unknown := [name for name in tools if name not in TOOLS]:
        sys.exit(f"unknown: {', '.join(unknown)}; known are {', '.join(TOOLS)}")
    for name in [name for name in tools if not program(name)]:
        print(f"{name} is not on PATH, nor named by BIN_{name.upper()}: left out")
        tools.remove(name)
    if not tools:
        sys.exit("no program is left to measure")
    sets = [[options.old, options.new], *([tree] for tree in options.more)]
    if absent := [folder for folder in (*sum(sets, []), options.work, options.restore_to) if not os.path.isdir(folder)]:
        sys.exit(f"no such folder: {', '.join(absent)}")
    print(machine())
    for name in tools:
        print(f"{name}: {TOOLS[name].version(argparse.Namespace(name=name, program=program(name)))}")
    work = Path(tempfile.mkdtemp(prefix="lbak-peers-", dir=options.work)).resolve()
    targets = Path(tempfile.mkdtemp(prefix="lbak-peers-", dir=options.restore_to)).resolve()
    everything = []
    try:
        data_sets = [Trees(work, number, trees) for number, trees in enumerate(sets)]
        time.sleep(SETTLED_AFTER_SECONDS)
        for trees, given in zip(data_sets, sets):
            rows = []
            for turn in range(options.rounds):
                for name in tools:
                    place, target = (Path(tempfile.mkdtemp(prefix=f"{name}-", dir=folder)) for folder in (work, targets))
                    rows.append(life(TOOLS[name](name, place), trees, target) | {"round": turn, "trees": given})
                    shutil.rmtree(target)
                    print(f"  round {turn + 1}, {name}: " + ", ".join(f"{step} {rows[-1][step]['wall']:.2f} s" for step in STEPS if step in rows[-1]), flush=True)
            print(f"\n{' then '.join(given)}, medians of {options.rounds}")
            show(rows, tools)
            everything += rows
    except Failed as failed:
        sys.exit(str(failed))
    finally:
        shutil.rmtree(work, ignore_errors=True)
        shutil.rmtree(targets, ignore_errors=True)
    if options.json:
        Path(options.json).write_text(json.dumps(everything, indent=1))


main()
