"""Runs programs and says what each took: wall time, processor time, peak memory. Python's own library is enough."""

import os, subprocess, sys, time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path


class Run:
    """What one process took. `wanted` is how many processors its threads had or waited for on average, as far as the system tells: on a
    machine that others use, it says how many would have been busy."""

    def __init__(self, wall, usage, wanted=0.0):
        self.wall, self.wanted = wall, wanted
        self.user, self.system = usage.ru_utime, usage.ru_stime
        self.mib = usage.ru_maxrss / 1024

    @property
    def cpu(self):
        return self.user + self.system

    def __str__(self):
        return f"{self.wall:8.2f} s wall, {self.user:7.2f} user + {self.system:6.2f} system, {self.mib:6.0f} MiB"


def threads(pid):
    """Nanoseconds that each thread ran and that it waited for a processor."""
    found = {}
    for task in Path(f"/proc/{pid}/task").glob("*"):
        try:
            ran, waited = (task / "schedstat").read_text().split()[:2]
            found[task.name] = int(ran) + int(waited)
        except OSError:
            pass  # it has ended
    return found


def waited(process, begun):
    wanted = {}
    while True:
        pid, status, usage = os.wait4(process.pid, os.WNOHANG)
        if pid:
            break
        wanted.update(threads(process.pid))
        time.sleep(0.05)
    process.returncode = os.waitstatus_to_exitcode(status)
    wall = time.monotonic() - begun
    return Run(wall, usage, sum(wanted.values()) / 1e9 / wall)


def run(*words, output=subprocess.DEVNULL):
    """Runs one program to its end; anything but success ends the measurement."""
    begun = time.monotonic()
    process = subprocess.Popen([str(word) for word in words], stdin=subprocess.DEVNULL, stdout=output)
    took = waited(process, begun)
    if process.returncode != 0:
        sys.exit(f"exit code {process.returncode}: {' '.join(map(str, words))}")
    return took


def pipe(first, second):
    """Runs two programs with a pipe between them; returns what each took."""
    begun = time.monotonic()
    one = subprocess.Popen([str(word) for word in first], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    two = subprocess.Popen([str(word) for word in second], stdin=one.stdout, stdout=subprocess.DEVNULL)
    one.stdout.close()
    with ThreadPoolExecutor(2) as pool:
        took = list(pool.map(lambda process: waited(process, begun), (one, two)))
    for process, words in ((one, first), (two, second)):
        if process.returncode != 0:
            sys.exit(f"exit code {process.returncode}: {' '.join(map(str, words))}")
    return took


def middle(runs):
    """The run with the median wall time."""
    return sorted(runs, key=lambda run: run.wall)[len(runs) // 2]


def bytes_below(folder):
    return sum(path.stat().st_size for path in Path(folder).rglob("*") if path.is_file())


def new_folder(folder):
    """A folder for this measurement alone: one that is there is not touched."""
    folder = Path(folder)
    if folder.exists():
        sys.exit(f"{folder} is there already: name a folder that is not, everything in it will be removed")
    folder.mkdir(parents=True)
    return folder


class Lbak:
    """A repository in a folder, with a key file beside it."""

    def __init__(self, folder):
        self.program = os.environ["BIN_LBAK"]
        self.repository, self.key = folder / "repository", folder / "key"
        run(self.program, *self.place, "init", "-q")

    @property
    def place(self):
        return ["-r", self.repository, "--key-file", self.key]

    def words(self, *words):
        return [self.program, *self.place, "-q", *words]


def machine():
    """The class of the machine, without names."""
    model = next((line.split(":", 1)[1].strip() for line in open("/proc/cpuinfo") if "model name" in line), "unknown")
    memory = next(int(line.split()[1]) for line in open("/proc/meminfo") if line.startswith("MemTotal"))
    print(f"{os.cpu_count()} cores, {model}, {memory / 2**20:.0f} GiB, kernel {os.uname().release.split('-')[0]}")
    print(subprocess.run([os.environ["BIN_LBAK"], "--version"], capture_output=True, text=True).stdout.strip())


def show(name, took, more=""):
    print(f"{name:28} {took}  {more}", flush=True)
