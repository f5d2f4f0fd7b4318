#!/usr/bin/env python3
"""Turns what tcpdump recorded into sample captures.

retime RAW MARKS OUT        shift times to the story's date
clocks RAW MARKS OUT        the same, and TCP timestamps with them
tag OUT IN=VID[,MAC=MAC]... put the frames of each IN into a VLAN and join them
join OUT IN...              the frames of all, in order of time
interfaces OUT ETHERNET RAW_IP
                            one pcapng file of two interfaces
Standard library only.
"""

import datetime
import struct
import sys

LINKTYPE_ETHERNET = 1
LINKTYPE_RAW = 101
MICRO, NANO = 0xA1B2C3D4, 0xA1B23C4D


def read_pcap(path):
    """Yields (nanoseconds, frame bytes) of an uncut classic Ethernet pcap."""
    with open(path, "rb") as file:
        data = file.read()
    magic, _, _, _, _, _, link = struct.unpack_from("<IHHiIII", data)
    if magic not in (MICRO, NANO) or link != LINKTYPE_ETHERNET:
        sys.exit(f"{path}: not a little-endian Ethernet pcap")
    unit = 1 if magic == NANO else 1000
    at = 24
    while at < len(data):
        seconds, fraction, caplen, length = struct.unpack_from("<IIII", data, at)
        if caplen != length:
            sys.exit(f"{path}: cut frame")
        yield seconds * 10**9 + fraction * unit, data[at + 16 : at + 16 + caplen]
        at += 16 + caplen


def write_pcap(path, frames):
    with open(path, "wb") as out:
        out.write(struct.pack("<IHHiIII", MICRO, 2, 4, 0, 0, 262144, LINKTYPE_ETHERNET))
        for nanos, frame in frames:
            seconds, fraction = divmod(nanos // 1000, 10**6)
            out.write(struct.pack("<IIII", seconds, fraction, len(frame), len(frame)) + frame)


def timestamps_at(frame):
    """Where the TCP header and its timestamp values begin, or None."""
    kind, ip = frame[12:14], frame[14:]
    if kind == b"\x08\x00" and ip[9] == 6 and not (ip[6] & 0x1F or ip[7]):
        tcp = 14 + (ip[0] & 15) * 4
    elif kind == b"\x86\xdd" and ip[6] == 6:
        tcp = 54
    else:
        return None
    at, end = tcp + 20, tcp + (frame[tcp + 12] >> 4) * 4
    while at < end and frame[at]:
        if frame[at] == 8:
            return tcp, at + 2
        at += 1 if frame[at] == 1 else max(frame[at + 1], 2)
    return None


def move_timestamps(frame, milliseconds):
    """Adds to a TCP segment's timestamps (RFC 7323), which count milliseconds.

    The checksum is brought up to date as in RFC 1624. An echo of zero, as in a
    SYN, stays.
    """
    found = timestamps_at(frame)
    if not found:
        return frame
    tcp, at = found
    old = struct.unpack_from(">II", frame, at)
    new = [(v + milliseconds) & 0xFFFFFFFF if v or i == 0 else 0 for i, v in enumerate(old)]
    frame = bytearray(frame)
    struct.pack_into(">II", frame, at, *new)
    (total,) = struct.unpack_from(">H", frame, tcp + 16)
    total = ~total & 0xFFFF
    # At an odd offset the bytes of each 16-bit word change places.
    for was, becomes in zip(old, new):
        for value in (~was & 0xFFFFFFFF, becomes):
            words = (value >> 16) + (value & 0xFFFF)
            total += words if (at - tcp) % 2 == 0 else swap(words)
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    struct.pack_into(">H", frame, tcp + 16, ~total & 0xFFFF)
    return bytes(frame)


def swap(words):
    words = (words & 0xFFFF) + (words >> 16)
    return (words & 0xFF) << 8 | words >> 8


def clocks(raw, marks, out):
    retime(raw, marks, out, move_timestamps)


def retime(raw, marks, out, change=None):
    """Moves each scene to its place in the story.

    MARKS holds "<recorded epoch seconds> <story time, RFC 3339>" for each
    scene. Inside a scene the recorded distances stay; frames before the first
    scene are left out. Time must not run backwards. `change` gets each frame
    and by how many milliseconds it moved.
    """
    scenes = []
    with open(marks) as lines:
        for line in lines:
            recorded, story = line.split()
            seconds, _, fraction = recorded.partition(".")
            nanos = int(seconds) * 10**9 + int(fraction.ljust(9, "0")[:9])
            moment = datetime.datetime.fromisoformat(story.replace("Z", "+00:00"))
            scenes.append((nanos, int(moment.timestamp()) * 10**9))
    frames = []
    # Two processors may hand over their frames in another order than they took them.
    for nanos, frame in sorted(read_pcap(raw), key=lambda f: f[0]):
        scene = next((s for s in reversed(scenes) if s[0] <= nanos), None)
        if scene:
            moved = scene[1] - scene[0]
            frames.append((nanos + moved, change(frame, moved // 10**6) if change else frame))
    if not frames:
        sys.exit(f"{raw}: nothing was recorded")
    if any(later[0] < earlier[0] for earlier, later in zip(frames, frames[1:])):
        sys.exit(f"{raw}: the story's times overlap")
    write_pcap(out, frames)


def tag(out, *parts):
    """Inserts an 802.1Q header; with MAC=, renames the one client on the LAN.

    A MAC address in the frame header is under no checksum, so the rest of the
    frame stays as it was recorded. ARP and IPv6 neighbour discovery, which
    repeat the address in their bodies, are left out.
    """
    frames = []
    for part in parts:
        path, _, options = part.partition("=")
        vid, _, mac = options.partition(",MAC=")
        old, new = (bytes.fromhex(m.replace(":", "")) for m in mac.split(">")) if mac else (b"", b"")
        for nanos, frame in read_pcap(path):
            neighbour = frame[12:14] == b"\x08\x06" or (frame[12:14] == b"\x86\xdd" and frame[20] == 58)
            if neighbour:
                continue
            macs = [new if m == old else m for m in (frame[:6], frame[6:12])]
            frames.append((nanos, b"".join(macs) + struct.pack(">HH", 0x8100, int(vid)) + frame[12:]))
    write_pcap(out, sorted(frames, key=lambda f: f[0]))


def join(out, *parts):
    write_pcap(out, sorted((f for path in parts for f in read_pcap(path)), key=lambda f: f[0]))


def option(code, value):
    return struct.pack("<HH", code, len(value)) + value + b"\0" * (-len(value) % 4)


def block(kind, body):
    size = len(body) + 12
    return struct.pack("<II", kind, size) + body + struct.pack("<I", size)


def interfaces(out, ethernet, raw_ip):
    """Joins two recordings as two interfaces that differ in everything.

    0: Ethernet, nanoseconds, no snap length. 1: raw IP (the Ethernet header
    taken off), microseconds, snap length 65535.
    """
    frames = [(n, 0, f) for n, f in read_pcap(ethernet)]
    frames += [(n, 1, f[14:]) for n, f in read_pcap(raw_ip) if f[12:14] in (b"\x08\x00", b"\x86\xdd")]
    frames.sort(key=lambda f: f[0])
    with open(out, "wb") as file:
        file.write(block(0x0A0D0D0A, struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1) + option(0, b"")))
        for link, snaplen, name, resolution in (
            (LINKTYPE_ETHERNET, 0, b"lan", 9),
            (LINKTYPE_RAW, 65535, b"uplink", 6),
        ):
            options = option(2, name) + option(9, bytes([resolution])) + option(0, b"")
            file.write(block(1, struct.pack("<HHI", link, 0, snaplen) + options))
        for nanos, interface, frame in frames:
            units = nanos if interface == 0 else nanos // 1000
            head = struct.pack("<IIIII", interface, units >> 32, units & 0xFFFFFFFF, len(frame), len(frame))
            file.write(block(6, head + frame + b"\0" * (-len(frame) % 4)))
        for interface in (0, 1):
            received = sum(1 for f in frames if f[1] == interface)
            units = frames[-1][0] // (1 if interface == 0 else 1000)
            head = struct.pack("<III", interface, units >> 32, units & 0xFFFFFFFF)
            counts = option(4, struct.pack("<Q", received)) + option(5, struct.pack("<Q", 0)) + option(0, b"")
            file.write(block(5, head + counts))


if __name__ == "__main__":
    commands = {"retime": retime, "clocks": clocks, "tag": tag, "join": join, "interfaces": interfaces}
    if len(sys.argv) < 3 or sys.argv[1] not in commands:
        sys.exit(__doc__)
    commands[sys.argv[1]](*sys.argv[2:])
