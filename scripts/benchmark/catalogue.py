#!/usr/bin/env python3
"""Measures what a catalogue of many indicators costs; prints a section of
docs/PERFORMANCE.md.

usage: catalogue.py SPANSIGHT CAPTURE FOLDER [COUNT [RUNS]]

The indicators are those of indicators.py, kept in FOLDER. With valgrind on the
machine, instructions are counted too, on the first 64 MiB of the capture and
with one worker.
"""

import os
import shutil
import statistics
import subprocess
import sys

import indicators

PART = 64 << 20


def timed(folder, command):
    """CPU seconds, wall seconds and peak KiB."""
    figures = os.path.join(folder, "time")
    subprocess.run(["/usr/bin/time", "-o", figures, "-f", "%U %S %e %M", *command], stdout=subprocess.DEVNULL, check=True)
    user, system, wall, peak = map(float, open(figures).read().split())
    return user + system, wall, peak


def instructions(folder, command):
    out = os.path.join(folder, "callgrind")
    tool = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={out}", *command]
    subprocess.run(tool, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
    return next(int(line.split()[1]) for line in open(out) if line.startswith("summary:"))


def part(capture, path, most):
    """The first frames of a classic capture, about so many bytes, one at least."""
    with open(capture, "rb") as file, open(path, "wb") as out:
        out.write(file.read(24))
        done = 0
        while done < most and (head := file.read(16)):
            body = file.read(int.from_bytes(head[8:12], "little"))
            done += out.write(head) + out.write(body)


def spread(values):
    return f"{statistics.median(values):.2f} ({min(values):.2f} to {max(values):.2f})"


def main(spansight, capture, folder, count=1_000_000, runs=5):
    count, runs = int(count), int(runs)
    path = os.path.join(folder, f"indicators-{count}.toml")
    if not os.path.exists(path):
        indicators.main(path + ".new", count)
        os.rename(path + ".new", path)
    added = ["--add-catalogue", path]
    replay = [spansight, "replay", "-q", "--hash", "none", "--workers", "1", capture]
    commands = {
        "loading it (`catalogue check --add-catalogue FILE NAME`)": [spansight, "catalogue", "check", "x.example", *added],
        "`replay` with the built-in catalogue": replay,
        "`replay --add-catalogue FILE`": replay + added,
    }
    results = {title: [] for title in commands}
    for _ in range(runs):
        for title, command in commands.items():
            results[title].append(timed(folder, command))
    print(f"## A catalogue of {count} indicators\n")
    print("Written by `scripts/benchmark/catalogue.py`, which `scripts/bench` runs. The indicators are made by")
    print(f"`scripts/benchmark/indicators.py FILE {count}`: {os.path.getsize(path) >> 20} MiB of exact names, suffixes,")
    print("host patterns, addresses, prefixes, paths, ports, payloads and User-Agents, a fifth of the names")
    print("beside those of the capture. One worker, `--hash none`.\n")
    print("| | CPU s | wall s | peak MiB |\n|---|---|---|---|")
    for title, rows in results.items():
        cpu, wall, peak = zip(*rows)
        print(f"| {title} | {spread(cpu)} | {spread(wall)} | {max(peak) / 1024:.0f} |")
    if not shutil.which("valgrind"):
        return
    small = os.path.join(folder, "part.pcap")
    part(capture, small, PART)
    # One without frames is an error.
    least = os.path.join(folder, "least.pcap")
    part(capture, least, 1)
    replay = replay[:-1]
    counted = []
    for files in ([], added):
        base = instructions(folder, [*replay, least, *files])
        counted.append(instructions(folder, [*replay, small, *files]) - base)
    before, after = counted
    print(f"\nInstructions of `replay` on the first {PART >> 20} MiB, less those on a capture of one frame (callgrind):")
    print(f"{before / 1e6:.1f} million with the built-in catalogue, {after / 1e6:.1f} million with both,")
    print(f"{100 * (after - before) / before:.1f} % more.")


if __name__ == "__main__":
    if not 4 <= len(sys.argv) <= 6:
        sys.exit(__doc__)
    main(*sys.argv[1:])
