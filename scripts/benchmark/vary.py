#!/usr/bin/env python3
"""Measures the cost of a packet in captures of traffic.c; see `vary`.

usage: vary.py SPANSIGHT FOLDER ROUNDS > SECTION

FOLDER holds the programs `floor` and `traffic`, and each capture for a while.
"""

import pathlib
import re
import shlex
import shutil
import statistics
import subprocess
import sys

import measure

# What varies, what else differs from the default of traffic.c, and its values.
SERIES = (
    ("connections that begin, for each 1,000 packets", "begin", {}, (0, 2, 10, 30, 100)),
    ("connections under way", "flows", {"size": 100, "packets": 2_000_000}, (1000, 100_000, 1_000_000, 5_000_000)),
    ("a flood of SYNs, each of a connection of its own", "packets", {"flood": 1, "hosts": 1_000_000}, (500_000, 5_000_000)),
    ("hosts", "hosts", {"flows": 1_000_000, "size": 100, "packets": 2_000_000}, (1000, 10_000, 100_000, 1_000_000)),
    ("bytes of payload in a packet of bulk", "size", {}, (0, 100, 500, 1200, 1460)),
    ("packets lost of 10,000", "loss", {"begin": 10}, (0, 10, 100, 500)),
    ("packets of 10,000 that change places with the next", "swap", {"begin": 10}, (0, 10, 100, 1000, 3000)),
)

HEAD = """## What a packet costs

Written by `scripts/benchmark/vary {rounds}`. Each line is a capture of
`scripts/benchmark/traffic.c` in which one thing varies; the rest is as that
program's usage says: {defaults}, where the heading of a table says nothing else.
CPU time is that of the whole process, start and end included, for each
packet: `replay --hash none --workers 1`, least of {rounds} runs, with the capture in the
page cache; the floor (see above) read the same capture in turn. {instructions}Names
are those of the ClientHellos of which both segments are in the capture; the sensor
reads also those of which it has the first alone.

@facts@"""
FEW = 200_000


def traffic(folder, path, options):
    """Makes a capture. Returns how many packets and names it has."""
    arguments = [f"{name}={value}" for name, value in options.items()]
    with open(path, "wb") as out:
        done = subprocess.run([folder / "traffic", *arguments], stdout=out, stderr=subprocess.PIPE, check=True, text=True)
    return tuple(int(n) for n in done.stderr.split())


class Instructions:
    """Counts instructions with callgrind, without those of start and end."""

    def __init__(self, spansight, folder):
        self.spansight, self.folder = spansight, folder
        self.idle = None

    def count(self, path):
        command = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", self.spansight]
        command += ["replay", "--hash", "none", "--workers", "1", path]
        done = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=True)
        return int(re.search(r"Collected : (\d+)", done.stderr)[1])

    def per_packet(self, options):
        path = self.folder / "few.pcap"
        if self.idle is None:
            traffic(self.folder, path, {"packets": 1})
            self.idle = self.count(path)
        packets, _ = traffic(self.folder, path, {**options, "packets": FEW})
        counted = self.count(path)
        path.unlink()
        return round((counted - self.idle) / packets)


def names_found(spansight, path):
    done = subprocess.run([spansight, "names", "-q", path], stdout=subprocess.PIPE, check=True)
    return done.stdout.count(b"\n")


def main(spansight, folder, rounds):
    folder, rounds = pathlib.Path(folder), int(rounds)
    instructions = Instructions(spansight, folder) if shutil.which("valgrind") else None
    usage = pathlib.Path(__file__).with_name("traffic.c").read_text()
    said = re.findall(r'\{"(\w+)", (\d+)\}', usage)
    text = f"Instructions are those of the first {FEW:,} packets, with start and end taken off. " if instructions else ""
    defaults = ", ".join(f"`{name}={value}`" for name, value in said)
    print(HEAD.format(rounds=rounds, defaults=defaults, instructions=text))
    path = folder / "vary.pcap"
    for title, what, fixed, values in SERIES:
        beside = "".join(f", `{name}={value}`" for name, value in fixed.items())
        print(f"\n### {title[0].upper()}{title[1:]} (`{what}`){beside}\n")
        print("| | packets | MB | ns a packet | floor, ns | instructions a packet | peak MiB | names found |")
        print("|---|---|---|---|---|---|---|---|")
        for value in values:
            options = {**fixed, what: value}
            if what == "flows":
                options["packets"] = max(options["packets"], value)
            packets, names = traffic(folder, path, options)
            commands = [[folder / "floor", path], [spansight, "replay", "--hash", "none", "--workers", "1", path]]
            runs = [[measure.run(shlex.join(map(str, command))) for command in commands] for _ in range(rounds)]
            floor, ours = (min(run[n][0] for run in runs) / packets * 1e9 for n in (0, 1))
            peak = statistics.median(run[1][2] for run in runs) / 1024
            counted = f"{instructions.per_packet(options):,}" if instructions else ""
            found = f"{names_found(spansight, path):,} of {names:,}"
            size = path.stat().st_size / 1e6
            print(
                f"| {value:,} | {packets:,} | {size:.0f} | {ours:.0f} | {floor:.0f} | {counted} | {peak:.0f} | {found} |",
                flush=True,
            )
            print(f"==> {what}={value}: {ours:.0f} ns a packet", file=sys.stderr)
            path.unlink()


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    main(*sys.argv[1:])
