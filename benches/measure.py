"""The measuring side of assign_grpo.sh: runs meed and its peers by turns and prints tables.

    measure.py <folder for outputs> <input> <input with ten times the rows> <meed's command>...

In meed's command `{input}`, `{output}` and `{threads}` are filled in. Every run is a process of its
own on warm files. Of meed the whole process counts, from start to exit; of the peers only the
query, without the start of Python and the import of the package. With one thread each, all
processes are pinned to the same core, so that helper threads gain nothing.
"""

import os
import shlex
import statistics
import subprocess
import sys
import time
from pathlib import Path

ROUNDS = 5
TOLERANCE = "1e-6"
MEMORY_LIMIT_MB = 300
GROWTH_LIMIT = 1.10
PEERS = ["polars lean", "duckdb lean", "polars full", "duckdb full"]


def spawn(command, cores):
    """Runs a command: its output, wall seconds, CPU seconds and peak memory in MB."""
    begin = time.perf_counter()
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, preexec_fn=lambda: os.sched_setaffinity(0, cores)
    )
    output = process.stdout.read().decode()
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.perf_counter() - begin
    if status != 0:
        sys.exit(f"failed: {shlex.join(command)}")
    return output, wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


class Bench:
    def __init__(self, folder, meed):
        self.folder, self.meed = Path(folder), meed
        self.peers = [sys.executable, str(Path(__file__).with_name("peers.py"))]
        self.cores = os.sched_getaffinity(0)
        self.threads = list(dict.fromkeys([1, len(self.cores)]))

    def output(self, name):
        return str(self.folder / f"{name.replace(' ', '_')}.parquet")

    def once(self, name, threads, source):
        """Seconds (of peers: of the first and the second query), CPU seconds, peak memory."""
        cores = self.cores if threads > 1 else {min(self.cores)}
        if name == "meed":
            fill = {"{input}": source, "{output}": self.output(name), "{threads}": str(threads)}
            command = [fill.get(word, word) for word in self.meed]
            _, wall, cpu, memory = spawn(command, cores)
            return [wall], cpu, memory
        command = [*self.peers, *name.split(), str(threads), source, self.output(name)]
        output, _, cpu, memory = spawn(command, cores)
        return [float(line) for line in output.split()], cpu, memory

    def verify(self, source):
        names = ["meed", *PEERS]
        for name in names:
            self.once(name, len(self.cores), source)
        outputs = [self.output(name) for name in names]
        print(spawn([*self.peers, "check", TOLERANCE, *outputs], self.cores)[0].strip())
        for name in names:
            print(f"  {name:12} wrote {os.path.getsize(self.output(name)) / 1e6:.2f} MB")

    def compare(self, source):
        for threads in self.threads:
            runs = {name: [] for name in ["meed", *PEERS]}
            for _ in range(ROUNDS):
                for name, known in runs.items():
                    known.append(self.once(name, threads, source))
            report(threads, runs)

    def memory(self, source, larger):
        for threads in self.threads:
            measured = [self.once("meed", threads, s) for s in (source, larger) for _ in range(3)]
            small, large = (max(run[2] for run in runs) for runs in (measured[:3], measured[3:]))
            fine = large < MEMORY_LIMIT_MB and large <= GROWTH_LIMIT * small
            print(
                f"meed, {threads} thread(s): {small:.0f} MB; with ten times the data {large:.0f} MB "
                f"({large / small:.2f} of it) in {min(run[0][0] for run in measured[3:]):.2f} s: "
                f"{'within' if fine else 'BEYOND'} {MEMORY_LIMIT_MB} MB and {GROWTH_LIMIT:.2f}"
            )


def report(threads, runs):
    print(f"\n{threads} thread(s), median of {ROUNDS} processes")
    print(f"{'':12}{'seconds':>9}{'least':>8}{'/ meed':>8}{'again':>9}{'/ meed':>8}{'CPU s':>8}{'peak MB':>9}")
    own = statistics.median(run[0][0] for run in runs["meed"])
    for name, known in runs.items():
        first = [run[0][0] for run in known]
        line = f"{name:12}{statistics.median(first):9.3f}{min(first):8.3f}{statistics.median(first) / own:8.2f}"
        if name == "meed":
            cpu = statistics.median(run[1] for run in known)
            line += f"{'':17}{cpu:8.3f}"
        else:
            again = statistics.median(run[0][1] for run in known)
            line += f"{again:9.3f}{again / own:8.2f}{'':8}"
        print(line + f"{max(run[2] for run in known):9.0f}")


def main():
    folder, source, larger, *meed = sys.argv[1:]
    bench = Bench(folder, meed)
    bench.verify(source)
    bench.compare(source)
    print("\npeak memory")
    bench.memory(source, larger)


main()
