#!/usr/bin/env python3
"""Measures how fast captures are read that are compressed, many, or small, and
prints a section of docs/PERFORMANCE.md.

usage: files.py SPANSIGHT CAPTURE FOLDER [RUNS]

CAPTURE is a large classic pcap of which 300 MB are used; FOLDER is where what
is made of it is kept, and 10,000 captures made of pieces of capture-samples.
"""

import glob
import os
import shutil
import statistics
import struct
import subprocess
import sys
import time

CUT = 300_000_000
CAPTURES = 10_000


def records(data):
    """Offset, head and frame of each record of a little-endian classic pcap."""
    offset = 24
    while offset + 16 <= len(data):
        head = struct.unpack_from("<4I", data, offset)
        end = offset + 16 + head[2]
        if end > len(data):
            return
        yield offset, head, data[offset + 16 : end]
        offset = end


def make_large(capture, folder):
    """The first records of a capture, plain and compressed."""
    plain = os.path.join(folder, "large.pcap")
    if not os.path.exists(plain + ".zst"):
        with open(capture, "rb") as f:
            data = f.read(CUT)
        end = max(offset for offset, _, _ in records(data))
        with open(plain, "wb") as f:
            f.write(data[:end])
        subprocess.run(["gzip", "-6kf", plain], check=True)
        subprocess.run(["zstd", "-3qkf", plain], check=True)
    return plain


def make_many(folder):
    """Captures of 2 to 6 kB, three seconds after one another."""
    many = os.path.join(folder, "many")
    if os.path.isdir(many) and len(os.listdir(many)) == CAPTURES:
        return many
    shutil.rmtree(many, ignore_errors=True)
    os.makedirs(many)
    samples = []
    for path in sorted(glob.glob("capture-samples/*.pcap")):
        with open(path, "rb") as f:
            data = f.read()
        samples.append((data[:24], list(records(data))))
    for n in range(CAPTURES):
        header, taken = samples[n % len(samples)]
        out, most = bytearray(header), 2000 + n * 7919 % 4000
        begin = n * 31 % max(1, len(taken) - 20)
        for _, (secs, frac, caplen, length), frame in taken[begin:]:
            if len(out) > most:
                break
            out += struct.pack("<4I", secs + 3 * n, frac, caplen, length) + frame
        with open(os.path.join(many, f"{n:05}.pcap"), "wb") as f:
            f.write(out)
    return many


def make_small(folder):
    """Whole records of about 1 kB."""
    small = os.path.join(folder, "small.pcap")
    with open("capture-samples/dns-udp.pcap", "rb") as f:
        data = f.read()
    end = max(offset for offset, _, _ in records(data) if offset <= 1100)
    with open(small, "wb") as f:
        f.write(data[:end])
    return small


def run(command):
    """Wall and CPU seconds and peak MiB of a command."""
    began = time.perf_counter()
    pid = os.fork()
    if pid == 0:
        null = os.open(os.devnull, os.O_RDWR)
        os.dup2(null, 1)
        os.dup2(null, 2)
        os.execvp(command[0], command)
    _, status, usage = os.wait4(pid, 0)
    took = time.perf_counter() - began
    if status != 0:
        sys.exit(f"files.py: failed: {' '.join(command)}")
    return took, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def spread(values):
    return f"{statistics.median(values):.3f} ({min(values):.3f} to {max(values):.3f})"


def main(spansight, capture, folder, runs="9"):
    os.makedirs(folder, exist_ok=True)
    large, many, small = make_large(capture, folder), make_many(folder), make_small(folder)
    store = os.path.join(folder, "store.db")
    replay = [spansight, "replay", "-q"]
    plain = [*replay, "--hash", "none"]
    commands = {
        "`gzip -dc large.pcap.gz`": ["gzip", "-dc", large + ".gz"],
        "`replay --hash none large.pcap.gz`": [*plain, large + ".gz"],
        "`zstd -dc large.pcap.zst`": ["zstd", "-dcq", large + ".zst"],
        "`replay --hash none large.pcap.zst`": [*plain, large + ".zst"],
        "`replay --hash none large.pcap`": [*plain, large],
        "`names many`": [spansight, "names", "-q", many],
        "`replay --hash none many`": [*plain, many],
        "`replay --hash none --store FILE many`": [*plain, "--store", store, many],
        "`replay --store FILE many`": [*replay, "--store", store, many],
        "`replay --hash none small.pcap`": [*plain, small],
    }
    figures = {label: [] for label in commands}
    for _ in range(int(runs)):
        for label, command in commands.items():
            figures[label].append(run(command))
            for left in glob.glob(store + "*"):
                os.remove(left)
    total = sum(os.path.getsize(entry.path) for entry in os.scandir(many))
    print(f"""## Files: compressed, many, small

Written by `scripts/benchmark/files.py`, which `scripts/bench` runs: `large.pcap` is the
first {os.path.getsize(large)} bytes of the capture above ({os.path.getsize(large + ".gz")} with `gzip -6`,
{os.path.getsize(large + ".zst")} with `zstd -3`), `many` a folder of {CAPTURES} captures with {total} bytes
together, `small.pcap` has {os.path.getsize(small)} bytes. The commands ran in turn, {runs} times;
figures are medians, with the least and the greatest behind them. The machine has
{os.cpu_count()} cores, and {os.getloadavg()[0]:.1f} processes wanted one: wall times say something only where
that is little over one. The program has {os.path.getsize(spansight)} bytes.

| command | wall s | CPU s | peak MiB |
|---|---|---|---|""")
    for label, rows in figures.items():
        wall, cpu, peak = zip(*rows)
        print(f"| {label} | {spread(wall)} | {spread(cpu)} | {max(peak):.0f} |")


if __name__ == "__main__":
    main(*sys.argv[1:])
