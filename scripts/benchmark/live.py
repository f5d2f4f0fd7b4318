#!/usr/bin/env python3
"""Measures loss and latency live; see scripts/bench-live.

usage: live.py SPANSIGHT FOLDER CAPTURE PREFIX SECONDS > SECTION

FOLDER holds the program `send`. PREFIX-sender and PREFIX-sensor are network
namespaces with the interfaces `wire` and `span0`.
"""

import datetime
import itertools
import json
import os
import pathlib
import re
import signal
import statistics
import subprocess
import sys
import threading
import time

# Frames a second that are tried; the last is more than a core can send.
RATES = (100_000, 150_000, 225_000, 340_000, 500_000, 750_000, 5_000_000)
ROUNDS = 3
PROBES = 50
LATENCY_SECONDS = 20

HEAD = """## Live: loss and latency

Written by `scripts/bench-live {seconds}`. On one end of a veth pair `spansight watch`
listens with its buffer of 64 MiB; `scripts/benchmark/send.c` sends into the other, on the
same cores, the first 100 MiB of the office capture again and again, at a steady rate or as
fast as it can. Loss is what was sent and not captured, in each of {rounds} rounds; in a round
the programs take turns at every rate. Where the sender reached less than was wanted, since
other programs had the cores, the rate that it reached is given. CPU is that of the program,
user and system.

At 500,000 of these frames a second 64 MiB are full in 0.15 s. Where more programs want to run
than there are cores (see the load average), one may wait that long for its turn, and then
loses frames however few instructions it takes for them.
"""

LATENCY = """
Latency is the time from the packet's timestamp, which the kernel sets when the frame
arrives, to the moment at which another process has read the record of it from the sensor's
output: of lookups of a catalogued name, {probes} a second among the rest, each by a host that
was not seen before.
"""

STAGES = """
The same runs as the sensor measured itself, in milliseconds: `timing` in `--stats`
([STATS.md](STATS.md) says what each stage is).
"""


class Bench:
    def __init__(self, spansight, folder, capture, prefix, seconds):
        self.spansight, self.folder, self.capture = spansight, pathlib.Path(folder), capture
        self.prefix, self.seconds = prefix, float(seconds)

    def within(self, node, *command):
        return ["ip", "netns", "exec", f"{self.prefix}-{node}", *map(str, command)]

    def send(self, rate, seconds, probes):
        """Frames sent, and the rate that was reached."""
        command = self.within("sender", self.folder / "send", "wire", self.capture, rate, seconds, probes)
        sent, reached = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True).stdout.split()
        return int(sent), int(reached)

    def tcpdump(self, rate, buffer):
        """Frames sent, frames lost, rate reached, seconds of CPU."""
        command = self.within("sensor", "tcpdump", "-n", "-i", "span0", "-B", buffer, "-w", "/dev/null")
        child = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        await_listening(child.stderr)
        sent, reached = self.send(rate, self.seconds, 0)
        time.sleep(1.5)  # it lets the kernel's blocks fill for a second
        said, cpu = end(child, child.stderr.read)
        return sent, sent - int(re.search(r"(\d+) packets? captured", said)[1]), reached, cpu

    def watch(self, rate, seconds, probes):
        """Frames sent, frames lost, rate reached, seconds of CPU, seconds from
        packet to record, and the sensor's statistics."""
        stats = self.folder / "live.json"
        command = self.within("sensor", self.spansight, "watch", "-i", "span0", "--format", "ndjson", "--stats", stats)
        child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        latencies, seen = [], set()
        reader = threading.Thread(target=read_records, args=(child.stdout, latencies, seen))
        reader.start()
        await_listening(child.stderr)
        # Nobody reads on what it says of new hosts.
        threading.Thread(target=child.stderr.read, daemon=True).start()
        sent, reached = self.send(rate, seconds, probes)
        time.sleep(1.5)
        last = len(latencies)  # what comes at the end is no first report
        _, cpu = end(child, lambda: reader.join(timeout=60))
        told = json.loads(stats.read_text())
        return sent, sent - told["coverage"]["totals"]["frames"], reached, cpu, sorted(latencies[:last]), told


def await_listening(said):
    """Returns when a program has said that it listens, and threads are up."""
    for line in said:
        if "listening on" in line:
            time.sleep(0.3)
            return
    sys.exit("live.py: a program ended before it listened")


def end(child, read):
    """Ends a program; what `read` returns then, and the CPU time it took."""
    child.send_signal(signal.SIGINT)
    said = read()
    _, status, used = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    return said, used.ru_utime + used.ru_stime


def read_records(lines, latencies, seen):
    for line in lines:
        now = time.time()
        record = json.loads(line)
        if record["host"]["ip"].startswith("10.99.") and record["id"] not in seen:
            seen.add(record["id"])
            latencies.append(now - datetime.datetime.fromisoformat(record["first_seen"]).timestamp())


def trials(bench):
    """What each program came to at each rate, round by round: by program and
    rate a list of (sent, lost, reached, CPU)."""
    programs = {
        "`spansight watch`": lambda rate: bench.watch(rate, bench.seconds, 0)[:4],
        "`tcpdump -B 65536 -w /dev/null`": lambda rate: bench.tcpdump(rate, 65536),
        "`tcpdump -w /dev/null` (2 MiB)": lambda rate: bench.tcpdump(rate, 2048),
    }
    found = {name: {rate: [] for rate in RATES} for name in programs}
    for number in range(ROUNDS):
        for rate in RATES:
            for name, trial in programs.items():
                sent, lost, reached, cpu = trial(rate)
                found[name][rate].append((sent, lost, reached, cpu))
                print(f"==> round {number + 1}, {name}: {reached:,} a second, {lost:,} of {sent:,} lost", file=sys.stderr)
    return found


def highest(rates):
    """The highest rate that was reached without loss, below any with loss."""
    reached = sorted((reached, lost) for of in rates.values() for _, lost, reached, _ in of)
    kept = itertools.takewhile(lambda trial: not trial[1], reached)
    return max((reached for reached, _ in kept), default=0)


def show_trials(found):
    print("| frames a second | " + " | ".join(f"{name}: lost" for name in found) + " |")
    print("|---" * (len(found) + 1) + "|")
    for rate in RATES:
        cells = []
        for rates in found.values():
            words = []
            for sent, lost, reached, _ in rates[rate]:
                held = "" if 0.95 * rate < reached else f" at {reached:,}"
                words.append((f"{lost / sent:.2%}" if lost else "none") + held)
            cells.append(", ".join(words))
        print(f"| {f'{rate:,}' if rate < RATES[-1] else 'as fast as it can'} | {' | '.join(cells)} |")
    print("\n| | highest rate reached without loss, and none with loss below | CPU, ns a frame, at the rates without loss |\n|---|---|---|")
    for name, rates in found.items():
        spent = [cpu / sent * 1e9 for of in rates.values() for sent, lost, _, cpu in of if not lost]
        cpu = f"{statistics.median(spent):.0f} ({min(spent):.0f} to {max(spent):.0f})" if spent else ""
        print(f"| {name} | {highest(rates):,} | {cpu} |", flush=True)


def share(ordered, part):
    """A percentile, in milliseconds."""
    return ordered[min(len(ordered) - 1, int(len(ordered) * part))] * 1000 if ordered else float("nan")


def show_stages(told):
    """The stages of runs, side by side."""
    names = [name for name in told[0]["timing"] if all(name in run["timing"] for run in told)]
    parts = ("p50_ns", "p99_ns", "p99_9_ns", "max_ns")
    print("| stage | half of that rate: p50, p99, p99.9, most | 10 lookups a second: p50, p99, p99.9, most |\n|---|---|---|")
    for name in names:
        cells = (", ".join(f"{run['timing'][name][part] / 1e6:.2f}" for part in parts) for run in told)
        print(f"| `{name}` | {' | '.join(cells)} |")


def main(*arguments):
    bench = Bench(*arguments)
    print(HEAD.format(seconds=f"{bench.seconds:g}", rounds=ROUNDS))
    found = trials(bench)
    show_trials(found)
    print(LATENCY.format(probes=PROBES))
    print("| load | records | p50 ms | p99 ms | most ms | frames lost |\n|---|---|---|---|---|---|")
    half = max(highest(found["`spansight watch`"]), 2) // 2
    all_told = []
    for load, rate, probes in (("half of that rate", half, PROBES), ("10 lookups a second and nothing else", 0, 10)):
        sent, lost, reached, _, waits, told = bench.watch(rate, LATENCY_SECONDS, probes)
        figures = " | ".join(f"{share(waits, part):.1f}" for part in (0.5, 0.99, 1))
        print(f"| {load}: {reached:,} a second | {len(waits)} | {figures} | {lost} of {sent:,} |", flush=True)
        print(f"==> {load}: p99 {share(waits, 0.99):.1f} ms", file=sys.stderr)
        all_told.append(told)
    print(STAGES)
    show_stages(all_told)


if __name__ == "__main__":
    if len(sys.argv) != 6:
        sys.exit(__doc__)
    main(*sys.argv[1:])
