#!/usr/bin/env python3
"""Measures loss and latency live; see scripts/bench-live.

usage: live.py SPANSIGHT FOLDER CAPTURE PREFIX SECONDS > SECTION

FOLDER holds the program `send`. PREFIX-sender and PREFIX-sensor are network
namespaces with the interfaces `wire` and `span0`.
"""

import datetime
import json
import pathlib
import re
import signal
import subprocess
import sys
import threading
import time

# Frames a second that are tried. Every trial is one of these rates.
RATES = [round(20_000 * 1.25**n, -3) for n in range(19)]
PROBES = 50
LATENCY_SECONDS = 15

HEAD = """## Live: loss and latency

Written by `scripts/bench-live {seconds}`. On one end of a veth pair `spansight watch`
listens with its buffer of 64 MiB; `scripts/benchmark/send.c` sends into the other, on the
same cores, the first 100 MiB of the office capture again and again. Loss is what was
sent and not captured. Latency is the time from the packet's timestamp, which the
kernel sets when the frame arrives, to the moment at which another process has read
the record of it from the sensor's output: of lookups of a catalogued name, {probes} a
second among the rest, each by a host that was not seen before.
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
        """Frames sent, frames lost, rate reached."""
        command = self.within("sensor", "tcpdump", "-n", "-i", "span0", "-B", buffer, "-w", "/dev/null")
        child = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        time.sleep(0.7)
        sent, reached = self.send(rate, self.seconds, 0)
        time.sleep(0.5)
        child.send_signal(signal.SIGINT)
        said = child.communicate(timeout=30)[1]
        return sent, sent - int(re.search(r"(\d+) packets? captured", said)[1]), reached

    def watch(self, rate, seconds, probes):
        """Frames sent, frames lost, rate reached, seconds from packet to record."""
        stats = self.folder / "live.json"
        command = self.within("sensor", self.spansight, "watch", "-q", "-i", "span0", "--format", "ndjson", "--stats", stats)
        child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        latencies, seen = [], set()
        reader = threading.Thread(target=read_records, args=(child.stdout, latencies, seen))
        reader.start()
        time.sleep(0.7)
        sent, reached = self.send(rate, seconds, probes)
        time.sleep(1.5)
        last = len(latencies)  # what comes at the end is no first report
        child.send_signal(signal.SIGINT)
        child.wait(timeout=60)
        reader.join(timeout=10)
        counts = json.loads(stats.read_text())["coverage"]["totals"]
        return sent, sent - counts["frames"], reached, sorted(latencies[:last])


def read_records(lines, latencies, seen):
    for line in lines:
        now = time.time()
        record = json.loads(line)
        if record["host"]["ip"].startswith("10.99.") and record["id"] not in seen:
            seen.add(record["id"])
            latencies.append(now - datetime.datetime.fromisoformat(record["first_seen"]).timestamp())


def highest(what, trial):
    """The highest of RATES without loss, by halving; what each trial said."""
    low, high, trials = -1, len(RATES), []
    while high - low > 1:
        at = (low + high) // 2
        sent, lost, reached = trial(int(RATES[at]))
        kept_up = reached > RATES[at] * 0.95
        trials.append((reached, sent, lost))
        print(f"==> {what}: {reached:,} a second, {lost:,} of {sent:,} lost", file=sys.stderr)
        if lost or not kept_up:
            high = at
        else:
            low = at
    return max((reached for reached, _, lost in trials if not lost), default=0), sorted(trials)


def share(ordered, part):
    """A percentile, in milliseconds."""
    return ordered[min(len(ordered) - 1, int(len(ordered) * part))] * 1000 if ordered else float("nan")


def main(*arguments):
    bench = Bench(*arguments)
    print(HEAD.format(seconds=f"{bench.seconds:g}", probes=PROBES))
    print("| | highest rate without loss, frames a second | trials: rate, lost |\n|---|---|---|")
    rates = {}
    for name, trial in (
        ("`spansight watch`", lambda rate: bench.watch(rate, bench.seconds, 0)[:3]),
        ("`tcpdump -B 65536 -w /dev/null`", lambda rate: bench.tcpdump(rate, 65536)),
        ("`tcpdump -w /dev/null` (2 MiB)", lambda rate: bench.tcpdump(rate, 2048)),
    ):
        rates[name], trials = highest(name, trial)
        said = "; ".join(f"{reached:,}: {lost / sent:.2%}" if lost else f"{reached:,}: none" for reached, sent, lost in trials)
        print(f"| {name} | {rates[name]:,} | {said} |", flush=True)
    print("\n| load | records | p50 ms | p99 ms | most ms | frames lost |\n|---|---|---|---|---|---|")
    half = max(rates["`spansight watch`"], 2) // 2
    for load, rate, probes in (("half of that rate", half, PROBES), ("10 lookups a second and nothing else", 0, 10)):
        sent, lost, reached, waits = bench.watch(rate, LATENCY_SECONDS, probes)
        figures = " | ".join(f"{share(waits, part):.1f}" for part in (0.5, 0.99, 1))
        print(f"| {load}: {reached:,} a second | {len(waits)} | {figures} | {lost} of {sent:,} |", flush=True)
        print(f"==> {load}: p99 {share(waits, 0.99):.1f} ms", file=sys.stderr)


if __name__ == "__main__":
    if len(sys.argv) != 6:
        sys.exit(__doc__)
    main(*sys.argv[1:])
