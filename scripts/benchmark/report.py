#!/usr/bin/env python3
"""Makes the sections of docs/PERFORMANCE.md that scripts/bench measured.

usage: report.py RESULTS FACTS

RESULTS: lines of group, command, CPU seconds, wall seconds, peak KiB, as
measure.py writes them. FACTS: lines of title and text. Tabs between them.
"""

import collections
import pathlib
import statistics
import subprocess
import sys

DOCUMENT = "docs/PERFORMANCE.md"

HEAD = """# Performance

Each section says which command wrote it; do not edit it, run that again. The
captures are made by `scripts/benchmark`, so that everything here can be
measured anew.
"""

INTRODUCTION = """## Captures replayed

Written by `scripts/bench`. The captures are made by
`scripts/benchmark/generate.py`, so their names are known exactly: `office`,
nearly all of whose bytes are bulk, and `dense`, many short conversations, a third
of them in tunnels, odd protocols, segments out of order. The programs ran in
turn, several rounds, each as a process of its own with the capture in the page
cache and its output thrown away; what takes over five seconds ran once. CPU
is user and system time of the whole process; figures are medians, with the
least and the greatest behind them. The floor reads the capture in pieces of
1 MiB, follows the record headers and looks at Ethernet, IP, ports and first
payload bytes, and keeps nothing. `replay` writes a new store and a table.
Where others had work to do on the machine (load average), CPU ratios say more
than seconds, and wall time says little.
"""

TITLES = {
    "office": "The office capture",
    "dense": "The dense capture",
    "gzip": "The office capture as gzip",
    "zstd": "The office capture as zstd",
    "small": "Many captures, and small ones",
}


class Runs:
    """What was measured, by group and command."""

    def __init__(self, path):
        self.rows = collections.defaultdict(list)
        for line in open(path):
            group, label, *figures = line.rstrip("\n").split("\t")
            self.rows[group, label].append([float(figure) for figure in figures])

    def groups(self):
        return {group: [label for g, label in self.rows if g == group] for group, _ in self.rows}

    def all(self, group, label, column):
        return [row[column] for row in self.rows[group, label]]

    def cpu(self, group, label):
        return statistics.median(self.all(group, label, 0))

    def wall(self, group, label):
        return statistics.median(self.all(group, label, 1))

    def peak(self, group, label):
        return max(self.all(group, label, 2)) / 1024


def spread(values):
    return f"{statistics.median(values):.3f} ({min(values):.3f} to {max(values):.3f})"


def tables(runs):
    for group, labels in runs.groups().items():
        reference = labels[0]
        yield f"\n### {TITLES[group]}\n"
        ratios = group != "small"
        heads = ["command", "CPU s", *(["CPU ratio"] if ratios else []), "wall s", *(["wall ratio"] if ratios else [])]
        yield "| " + " | ".join([*heads, "peak MiB"]) + " |\n|" + "---|" * (len(heads) + 1)
        for label in labels:
            cells = [f"`{label}`" if ratios else label, spread(runs.all(group, label, 0))]
            if ratios:
                cells.append(f"{runs.cpu(group, label) / runs.cpu(group, reference):.2f}")
            cells.append(spread(runs.all(group, label, 1)))
            if ratios:
                cells.append(f"{runs.wall(group, label) / runs.wall(group, reference):.2f}")
            yield "| " + " | ".join([*cells, f"{runs.peak(group, label):.0f}"]) + " |"
        if ratios:
            yield f"\nRatios are to `{reference}`."


def goals(runs):
    """What is aimed at, what was measured, and the most that it may be."""
    none, names = "spansight replay --hash none --workers {}", "spansight names --workers {}"
    floor = runs.cpu("office", "floor")
    yield "CPU, office, `replay --hash none`, to the floor", runs.cpu("office", none.format(1)) / floor, 2
    allowed = 2 * floor + 1.1 * runs.cpu("office", "openssl dgst -sha256")
    hashed = runs.cpu("office", "spansight replay --workers 1") / allowed
    yield "CPU, office, `replay`, to 2 floors and 1.1 times `openssl dgst -sha256`", hashed, 1
    wall = runs.wall("office", none.format(2)) / runs.wall("office", "floor")
    yield "wall, office, `replay --hash none --workers 2`, to the floor", wall, 1.3
    yield "CPU, office, `names`, to the floor", runs.cpu("office", names.format(1)) / floor, 2.2
    dense = runs.cpu("dense", names.format(1))
    yield "CPU, dense, `names`, to the floor", dense / runs.cpu("dense", "floor"), 3.5
    if ("dense", "tcpdump -w /dev/null 'not ip'") in runs.rows:
        yield "CPU, dense, `names`, to tcpdump", dense / runs.cpu("dense", "tcpdump -w /dev/null 'not ip'"), 1
    ours = [key for key in runs.rows if key[1].startswith("spansight re") or key[1].startswith("spansight names")]
    yield "peak memory on any of these, MiB", max(runs.peak(*key) for key in ours), 64
    for form in ("gzip", "zstd"):
        ratio = runs.wall(form, "spansight replay --hash none") / runs.wall(form, f"{form} -dc")
        yield f"wall, {form}, `replay --hash none`, to `{form} -dc`", ratio, 1.2
    yield "wall, 10,000 captures in a folder, s", runs.wall("small", "10,000 captures in a folder"), 3
    yield "wall, a capture of 8 frames, s", runs.wall("small", "one of them"), 0.010


def section(text):
    script = pathlib.Path(__file__).with_name("section.py")
    subprocess.run([sys.executable, script, DOCUMENT], input=text, text=True, check=True)


def main(results, facts):
    runs = Runs(results)
    lines = [INTRODUCTION, "| | |\n|---|---|"]
    for line in open(facts):
        title, text = line.rstrip("\n").split("\t", 1)
        lines.append(f"| {title} | {text} |")
    lines.append("\n### What is aimed at\n\n| | measured | at most | |\n|---|---|---|---|")
    for what, measured, most in goals(runs):
        verdict = "reached" if measured <= most else "missed"
        lines.append(f"| {what} | {measured:.3g} | {most} | {verdict} |")
    lines.extend(tables(runs))
    section(HEAD)
    section("\n".join(lines))


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(*sys.argv[1:])
