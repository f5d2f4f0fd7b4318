#!/usr/bin/env python3
"""Puts a section into a Markdown document, in place of the one it renews.

usage: section.py DOCUMENT < SECTION

SECTION begins with its heading, `## Title`. A section of the same title is
replaced, all others stay as they are; a new one comes last. Text that begins
with `# Title` replaces what stands above the first section.
"""

import pathlib
import re
import sys


def main(path):
    document = pathlib.Path(path)
    new = sys.stdin.read().strip() + "\n"
    if not re.match(r"##? \S", new):
        sys.exit("section.py: the text must begin with a heading")
    old = document.read_text() if document.exists() else ""
    parts = [part.strip() + "\n" for part in re.split(r"^(?=##? )", old, flags=re.M) if part.strip()]
    title = new.split("\n", 1)[0]
    same = [n for n, part in enumerate(parts) if part.split("\n", 1)[0] == title]
    if same:
        parts[same[0]] = new
    else:
        parts.insert(0 if new.startswith("# ") else len(parts), new)
    fresh = document.with_name(document.name + ".new")
    fresh.write_text("\n".join(parts))
    fresh.replace(document)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(sys.argv[1])
