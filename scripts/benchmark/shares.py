#!/usr/bin/env python3
"""Groups the samples of a profile by what the code is for.

usage: shares.py FLOOR SECONDS < SAMPLES

SAMPLES is what `perf report -t ';' --sort comm,symbol` prints: share, thread,
symbol. FLOOR and SECONDS are seconds of processor time, of the floor and of the
run that was profiled. Prints a table of Markdown: each group's share of the run,
the share of each thread in it, and the group as a multiple of the floor.
"""

import collections
import re
import sys

# The first pattern that a symbol matches says what it is for. Code that was
# inlined counts where it was inlined.
GROUPS = [
    ("kernel: bytes of the file", r"\[k\] (_?copy_|filemap|folio|__?xas|xa_|find_get|mark_page|generic_file|ext4_file_read|vfs_read|.*read_batch)"),
    ("kernel: threads that wait and wake", r"\[k\] .*(sched|futex|switch|wake|yield|ttwu|enqueue|dequeue|spin_)"),
    ("kernel: all else", r"\[k\]"),
    ("records of the file", r"spansight::capture::"),
    ("headers of frames, dealing to shards", r"spansight::(packet|pipeline::dispatch|pipeline::work|sighting::home)"),
    ("QUIC: keys and decryption", r"ring(::|_core)|quic::(keys|crypto)"),
    ("finding and keeping flows", r"flow::table::|find_tcp|tcp_flow|udp_flow|hashbrown"),
    ("copies of packets", r"is_copy|take_nearer|flow::(duplicates|recent|headers|checksum)|foldhash"),
    ("lines of names", r"flow::(lister|rows)|itoa|core::fmt|sort::|sort_unstable"),
    ("messages and names", r"spansight::(protocol|base::name)|memchr::"),
    ("store", r"sqlite|rusqlite|[vV]dbe|[bB]tree|pcache|[pP]ager|spansight::(store|cli::output)|(get|release)Page|moveTo|walChecksum"),
    ("streams and datagrams", r"spansight::(flow|pipeline::worker)|__rust_begin_short_backtrace"),
    ("sightings", r"spansight::(sighting|host|catalogue|coverage|report)"),
    ("memory: obtained, given back, copied", r"malloc|_int_|free|realloc|calloc|unlink_chunk|mem(move|cpy|set|cmp)|raw_vec|alloc::"),
    ("channels between threads", r"crossbeam|spansight::pipeline::(pool|replay)|std::(thread|sync)|yield|syscall|pthread"),
]


def main(floor, seconds):
    shares = collections.defaultdict(lambda: collections.defaultdict(float))
    threads = collections.defaultdict(float)
    for line in sys.stdin:
        found = re.match(r"\s*([\d.]+)%?\s*;\s*(\S+)\s*;\s*([^;]*[^;\s])", line)
        if not found:
            continue
        share, thread, symbol = float(found[1]), found[2], found[3]
        group = next((name for name, pattern in GROUPS if re.search(pattern, symbol)), "all else")
        if thread == "environment":
            group = "hash of the program, six times as large with its symbols"
        thread = thread if thread in ("reader", "worker") else "others"
        shares[group][thread] += share
        threads[thread] += share
    total = sum(threads.values())
    if not total:
        sys.exit("shares.py: no samples")
    print("| | share | reader | worker | others | floors |\n|---|---|---|---|---|---|")
    rows = sorted(shares.items(), key=lambda row: -sum(row[1].values()))
    for name, by in [*rows, ("all", threads)]:
        each = " | ".join(f"{100 * by[t] / total:.1f} %" for t in ("reader", "worker", "others"))
        share = sum(by.values()) / total
        print(f"| {name} | {100 * share:.1f} % | {each} | {share * float(seconds) / float(floor):.2f} |")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(*sys.argv[1:])
