#!/usr/bin/env python3
"""Makes docs/PERFORMANCE.md of what scripts/bench measured.

usage: report.py RESULTS FACTS

RESULTS: lines of command, user seconds, system seconds, wall seconds, peak
KiB, separated by tabs; one line a run, the commands in turn. FACTS: lines of
title and text, separated by a tab.
"""

import collections
import statistics
import sys

HEAD = """# Performance

Written by `scripts/bench`; do not edit, run it again. The capture is made by
`scripts/benchmark/generate.py`: office traffic whose names are known exactly.
The programs ran in turn, several rounds, each as a process of its own with
the capture in the page cache and its output thrown away. CPU is user and
system time of the whole process; figures are medians, with the least and the
greatest behind them. On a machine with other work to do, trust the ratios
more than the seconds.
"""


def spread(values):
    return f"{statistics.median(values):.2f} ({min(values):.2f} to {max(values):.2f})"


def main(results, facts):
    runs = collections.defaultdict(list)
    for line in open(results):
        command, *figures = line.rstrip("\n").split("\t")
        runs[command].append([float(figure) for figure in figures])
    cpu = {command: statistics.median(r[0] + r[1] for r in rows) for command, rows in runs.items()}
    reference = next(command for command in runs if command.startswith("spansight replay"))
    print(HEAD)
    print("| | |\n|---|---|")
    for line in open(facts):
        title, text = line.rstrip("\n").split("\t", 1)
        print(f"| {title} | {text} |")
    print(f"\nRatios are to `{reference}`.\n")
    print("| command | CPU s | ratio | wall s | peak MiB |\n|---|---|---|---|---|")
    for command, rows in runs.items():
        used, wall = spread([r[0] + r[1] for r in rows]), spread([r[2] for r in rows])
        peak = max(r[3] for r in rows) / 1024
        escaped = command.replace("|", "\\|")
        ratio = cpu[command] / max(cpu[reference], 0.01)
        print(f"| `{escaped}` | {used} | {ratio:.2f} | {wall} | {peak:.0f} |")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(*sys.argv[1:])
