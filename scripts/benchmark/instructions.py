#!/usr/bin/env python3
"""Reads, compares and keeps counts of instructions; see scripts/instructions.

usage: instructions.py parts FOLDER                       what gungraun counted
       instructions.py compare OLD NEW [ACCEPTED-OLD ACCEPTED-NEW]
       instructions.py accept BASELINE NEW ENVIRONMENT REASON

Counts are lines of name and number, separated by a tab. With the baselines of
both commits, a change that was accepted between them is expected.
"""

import datetime
import json
import pathlib
import sys

MOST = 0.03

HEAD = """# Instructions that scripts/instructions counted; written by its --accept.
"""


def read(path):
    lines = pathlib.Path(path).read_text().splitlines()
    return {name: int(count) for name, count in (line.split("\t") for line in lines if line and line[0] != "#")}


def parts(folder):
    """The counts of the library benchmarks, by function and bench."""
    for path in sorted(pathlib.Path(folder).rglob("summary.json")):
        summary = json.loads(path.read_text())
        yield f"{summary['function_name']}.{summary['id']}", instructions(summary)


def instructions(node):
    """The count of `Ir` of this run, wherever the summary has it."""
    if isinstance(node, dict):
        if "Ir" in node:
            return value(node["Ir"])
        node = list(node.values())
    if isinstance(node, list):
        for child in node:
            found = instructions(child)
            if found is not None:
                return found
    return None


def value(node):
    """The first number: that of the new run."""
    if isinstance(node, int):
        return node
    children = node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
    return next((found for found in map(value, children) if found is not None), None)


def compare(old, new, accepted_old=None, accepted_new=None):
    expected, counted = read(old), read(new)
    if accepted_old:
        before, after = read(accepted_old), read(accepted_new)
        expected = {n: c * after[n] / before[n] if n in before and n in after else c for n, c in expected.items()}
    faults = 0
    for name in sorted(expected | counted):
        if name not in counted or name not in expected:
            # What a base does not have yet cannot be held against it.
            fault = accepted_old is None
            print(f"{name}: {'not counted any more' if name in expected else 'not in the baseline'}")
        else:
            change = counted[name] / expected[name] - 1
            fault = change > MOST
            note = "  grew too much" if fault else "  better: --accept keeps it" if change < -MOST else ""
            print(f"{name}: {counted[name]:,} instructions, {change:+.1%}{note}")
        faults += fault
    if faults:
        print("accept this with a reason: scripts/instructions --accept REASON", file=sys.stderr)
    return 1 if faults else 0


def accept(baseline, new, environment, reason):
    path = pathlib.Path(baseline)
    old = path.read_text().splitlines() if path.exists() else []
    notes = [line for line in old if line.startswith("# accepted ")]
    notes.append(f"# accepted {datetime.date.today()}: {' '.join(reason.split())}")
    counts = sorted(read(new).items())
    lines = [f"# counted with: {environment}", *notes, *(f"{name}\t{count}" for name, count in counts)]
    path.write_text(HEAD + "\n".join(lines) + "\n")


def main(command, *arguments):
    if command == "parts":
        counts = list(parts(*arguments))
        if not counts or any(count is None for _, count in counts):
            sys.exit("instructions.py: gungraun left no counts")
        for name, count in counts:
            print(f"{name}\t{count}")
    elif command == "compare":
        sys.exit(compare(*arguments))
    elif command == "accept":
        accept(*arguments)
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    main(*sys.argv[1:])
