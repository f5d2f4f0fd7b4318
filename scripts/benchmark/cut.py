#!/usr/bin/env python3
"""Cuts the beginning of a classic pcap into many small ones.

usage: cut.py CAPTURE FOLDER COUNT [FRAMES]

FOLDER, which must not exist, gets COUNT captures of FRAMES frames each, 8 if
not given.
"""

import pathlib
import struct
import sys


def main(capture, folder, count, frames=8):
    folder = pathlib.Path(folder)
    folder.mkdir()
    with open(capture, "rb") as data:
        header = data.read(24)
        for number in range(int(count)):
            records = []
            for _ in range(int(frames)):
                head = data.read(16)
                if len(head) < 16:
                    sys.exit("cut.py: the capture is too short")
                records.append(head + data.read(struct.unpack("<8xI4x", head)[0]))
            (folder / f"{number:06}.pcap").write_bytes(header + b"".join(records))


if __name__ == "__main__":
    if len(sys.argv) not in (4, 5):
        sys.exit(__doc__)
    main(*sys.argv[1:])
