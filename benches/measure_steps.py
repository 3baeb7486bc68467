"""The measuring side of train_step.sh and grpo_step.sh: runs meed and its peer by turns.

    measure_steps.py <units of work in a step> <their name> <target> <meed's command> -- <peer's command>

In the commands `{threads}` and `{steps}` are filled in. Every run is a process of its own that prints a
line for comparison and then the seconds of each step, warm-up left out. The programs take turns, and go
first by turns, so that other load meets both; with one thread they are pinned to one core. The numbers of
the lines for comparison must agree: within 1e-3, or 5 % for counts of generated tokens.
"""

import os
import shlex
import statistics
import subprocess
import sys

ROUNDS = 5
STEPS = 5


def run(command, threads, cores):
    fill = {"{threads}": str(threads), "{steps}": str(STEPS)}
    command = [fill.get(word, word) for word in command]
    process = subprocess.run(
        command, stdout=subprocess.PIPE, preexec_fn=lambda: os.sched_setaffinity(0, cores), check=False
    )
    if process.returncode != 0:
        sys.exit(f"failed: {shlex.join(command)}")
    first, *seconds = process.stdout.decode().splitlines()
    return first, [float(line) for line in seconds]


def numbers(line):
    return [float(word) for word in line.split() if word.replace(".", "", 1).replace("-", "").replace("e", "").isdigit()]


def agree(first, second):
    share = 0.05 if "generated" in first else 1e-3
    ours, theirs = numbers(first), numbers(second)
    return len(ours) == len(theirs) > 0 and all(abs(a - b) <= share * abs(b) for a, b in zip(ours, theirs))


def main():
    work, unit, target = float(sys.argv[1]), sys.argv[2], float(sys.argv[3])
    at = sys.argv.index("--")
    commands = {"meed": sys.argv[4:at], "peer": sys.argv[at + 1 :]}
    cores = os.sched_getaffinity(0)
    for threads in dict.fromkeys([1, len(cores)]):
        seconds = {name: [] for name in commands}
        ratios = []
        for number in range(ROUNDS):
            medians = {}
            firsts = {}
            for name, command in list(commands.items())[:: -1 if number % 2 else 1]:
                pinned = cores if threads > 1 else {min(cores)}
                firsts[name], steps = run(command, threads, pinned)
                seconds[name] += steps
                medians[name] = statistics.median(steps)
            ratios.append(medians["peer"] / medians["meed"])
            if number == 0:
                print(f"\n{threads} thread(s): meed {firsts['meed']}; peer {firsts['peer']}")
                if not agree(firsts["meed"], firsts["peer"]):
                    sys.exit("they do not compute the same")
        print(f"{'':6}{'seconds':>9}{'least':>9}{unit + '/s':>12}")
        for name, known in seconds.items():
            middle = statistics.median(known)
            print(f"{name:6}{middle:9.3f}{min(known):9.3f}{work / middle:12.0f}")
        ratio = statistics.median(ratios)
        least = min(seconds["peer"]) / min(seconds["meed"])
        verdict = "reached" if ratio >= target else "MISSED"
        rounds = ", ".join(f"{ratio:.2f}" for ratio in ratios)
        print(f"meed's speed over the peer's: {ratio:.2f} (rounds {rounds}; of the least times {least:.2f}); target {target}: {verdict}")


main()
