#!/usr/bin/env python3
"""Runs commands in turn, several rounds, and writes what each took.

usage: measure.py ROUNDS RESULTS < COMMANDS

COMMANDS: lines of group, label and a shell command, separated by tabs. Each
runs as a process of its own with its output thrown away; what takes over five
seconds runs in the first round only. RESULTS gets a line for each run: group,
label, CPU seconds (user and system, of the process and what it waited for),
wall seconds, peak KiB. Ends with an error if a command fails.

Before each run the files that the command names are read, as some machines take
files out of the page cache within seconds.
"""

import os
import shlex
import subprocess
import sys
import tempfile
import time

PATIENCE = 5.0
PIECE = 1 << 20


def warm(command):
    """Reads the files and folders that a shell command names."""
    words = shlex.split(command)
    for word in words[:1] + [w for word in words[1:] for w in shlex.split(word)]:
        paths = [entry.path for entry in os.scandir(word)] if os.path.isdir(word) else [word]
        for path in filter(os.path.isfile, paths):
            with open(path, "rb", buffering=0) as file:
                while file.read(PIECE):
                    pass


def run(command):
    """CPU seconds, wall seconds and peak KiB of a shell command."""
    with tempfile.NamedTemporaryFile() as peak, tempfile.TemporaryFile() as errors:
        # GNU time knows the peak of the program alone; what a process forks
        # from us begins with ours.
        begun = time.monotonic()
        child = subprocess.Popen(
            ["/usr/bin/time", "-q", "-f", "%M", "-o", peak.name, "sh", "-c", f"exec {command}"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=errors,
        )
        _, status, used = os.wait4(child.pid, 0)
        wall = time.monotonic() - begun
        child.returncode = os.waitstatus_to_exitcode(status)
        if child.returncode:
            errors.seek(0)
            sys.exit(f"failed: {command}\n{errors.read().decode(errors='replace')}")
        return used.ru_utime + used.ru_stime, wall, int(peak.read().split()[-1])


def main(rounds, results):
    commands = [line.rstrip("\n").split("\t") for line in sys.stdin]
    slow = set()
    with open(results, "a") as out:
        for number in range(1, int(rounds) + 1):
            for group, label, command in commands:
                if (group, label) in slow:
                    continue
                warm(command)
                cpu, wall, peak = run(command)
                print(f"==> round {number}: {group}: {label}: {cpu:.3f} s CPU, {wall:.3f} s", file=sys.stderr)
                out.write(f"{group}\t{label}\t{cpu:.4f}\t{wall:.4f}\t{peak}\n")
                if wall > PATIENCE:
                    slow.add((group, label))


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(*sys.argv[1:])
