"""The measuring side of assign_grpo.sh: runs meed and its peers by turns and prints a table.

Every run is a process of its own. Of meed the whole process counts, from start to exit; of the
peers only the query, after a warm-up query and without the start of Python. With one thread each,
all processes are pinned to the same core, so that helper threads gain nothing.
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


def spawn(command, cores):
    """Runs a command; its output, wall seconds, CPU seconds and peak memory in MB."""
    pin = lambda: os.sched_setaffinity(0, cores)
    begin = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, preexec_fn=pin)
    output = process.stdout.read().decode()
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.perf_counter() - begin
    if status != 0:
        sys.exit(f"failed: {shlex.join(map(str, command))}")
    return output, wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


class Bench:
    def __init__(self, meed, folder):
        self.meed, self.folder = meed, Path(folder)
        self.peers = [sys.executable, str(Path(__file__).with_name("peers.py"))]
        self.cores = os.sched_getaffinity(0)

    def command(self, name, threads, source):
        target = self.folder / f"{name}.parquet"
        if name != "meed":
            return [*self.peers, name, str(threads), str(source), str(target)]
        fill = {"{input}": str(source), "{output}": str(target), "{threads}": str(threads)}
        return [fill.get(word, word) for word in self.meed]

    def once(self, name, threads, source):
        cores = self.cores if threads > 1 else {min(self.cores)}
        output, wall, cpu, memory = spawn(self.command(name, threads, source), cores)
        seconds = wall if name == "meed" else float(output.strip())
        return seconds, cpu, memory

    def verify(self, source):
        names = ["meed", "polars", "duckdb"]
        for name in names:
            self.once(name, len(self.cores), source)
        outputs = [str(self.folder / f"{name}.parquet") for name in names]
        print(spawn([*self.peers, "check", TOLERANCE, *outputs], self.cores)[0].strip())

    def compare(self, source):
        names = ["meed", "polars", "duckdb"]
        for threads in dict.fromkeys([1, len(self.cores)]):
            for name in names:
                self.once(name, threads, source)
            runs = {name: [] for name in names}
            for _ in range(ROUNDS):
                for name in names:
                    runs[name].append(self.once(name, threads, source))
            report(threads, runs)

    def memory(self, source, larger):
        for threads in dict.fromkeys([1, len(self.cores)]):
            peak, large_peak = (max(self.once("meed", threads, s)[2] for _ in range(3)) for s in (source, larger))
            growth = large_peak / peak
            fine = large_peak < MEMORY_LIMIT_MB and growth <= GROWTH_LIMIT
            print(
                f"peak memory of meed, {threads} thread(s): {peak:.0f} MB; with ten times the data "
                f"{large_peak:.0f} MB ({growth:.2f}x): {'within' if fine else 'BEYOND'} "
                f"{MEMORY_LIMIT_MB} MB and {GROWTH_LIMIT:.2f}x"
            )


def report(threads, runs):
    print(f"\n{threads} thread(s), median of {ROUNDS}")
    print(f"{'':8}{'seconds':>9}{'fastest':>9}{'CPU s':>8}{'peak MB':>9}{'time / meed':>13}")
    middle = {name: statistics.median(run[0] for run in all_runs) for name, all_runs in runs.items()}
    for name, all_runs in runs.items():
        cpu = f"{statistics.median(run[1] for run in all_runs):.3f}" if name == "meed" else "-"
        fastest, memory = min(run[0] for run in all_runs), max(run[2] for run in all_runs)
        ratio = middle[name] / middle["meed"]
        print(f"{name:8}{middle[name]:>9.3f}{fastest:>9.3f}{cpu:>8}{memory:>9.0f}{ratio:>12.2f}x")


def main():
    folder, source, larger, *meed = sys.argv[1:]
    bench = Bench(meed, folder)
    bench.verify(source)
    bench.compare(source)
    print()
    bench.memory(source, larger)


main()
