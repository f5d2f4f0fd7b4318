"""Conversations of a dense capture: hardly any bulk, much that is odd.

The conversations of generate.py, cut short; one in three inside a tunnel or
behind odd tags; one TCP conversation in ten with segments that change places;
and protocols that have nothing to name: what a sensor must look at and let go.
"""

import struct

import wire
from wire import ACK, FIN, MSS, PSH, SYN, checksum, weighed, words

OUTER = bytes([10, 20, 251, 1]), bytes([10, 20, 251, 2])


# --- Tunnels and tags: a frame in, a frame out ---------------------------------


def split(frame):
    """Addresses and tags, EtherType, packet."""
    at = 12
    while frame[at : at + 2] == b"\x81\x00":
        at += 4
    return frame[:at], frame[at : at + 2], frame[at + 2 :]


def packet4(protocol, body):
    start = struct.pack("!BBHHHBB", 0x45, 0, 20 + len(body), 0, 0x4000, 64, protocol)
    sum_ = checksum(words(start) + words(OUTER[0] + OUTER[1]))
    return b"\x08\x00" + start + sum_ + OUTER[0] + OUTER[1] + body


def datagram4(port, body):
    return packet4(17, struct.pack("!HHHH", 49152 + len(body) % 16000, port, 8 + len(body), 0) + body)


def vxlan(frame):
    return frame[:12] + datagram4(4789, b"\x08\0\0\0\0\0\x2a\0" + frame)


def geneve(frame):
    return frame[:12] + datagram4(6081, b"\0\0\x65\x58\0\0\x2a\0" + frame)


def gre(frame):
    head, kind, packet = split(frame)
    return head + packet4(47, b"\0\0" + kind + packet)


def ip_in_ip(frame):
    head, kind, packet = split(frame)
    return head + packet4(4 if kind == b"\x08\x00" else 41, packet)


def gtp(frame):
    head, _, packet = split(frame)
    return head + datagram4(2152, b"\x30\xff" + struct.pack("!HI", len(packet), 42) + packet)


def mpls(frame):
    head, _, packet = split(frame)
    return head + b"\x88\x47" + struct.pack("!II", 1000 << 12 | 64, 2000 << 12 | 0x100 | 64) + packet


def pppoe(frame):
    head, kind, packet = split(frame)
    point = b"\0\x21" if kind == b"\x08\x00" else b"\0\x57"
    return head + b"\x88\x64\x11\0\0\x07" + struct.pack("!H", 2 + len(packet)) + point + packet


def provider(frame):
    return frame[:12] + b"\x88\xa8\0\x64" + (frame[12:] if frame[12:14] == b"\x81\x00" else b"\x81\0\0\x07" + frame[12:])


TUNNELS = (vxlan, geneve, gre, ip_in_ip, gtp, mpls, pppoe, provider)


def wrapped(office, conversation):
    """One conversation in three goes through a tunnel, whole."""
    wrap = office.random.choice(TUNNELS) if office.random.random() < 1 / 3 else None
    for at, frame in conversation:
        yield at, wrap(frame) if wrap else frame


def displaced(office, conversation):
    """One conversation in ten: neighbours change places, the times do not."""
    if office.random.random() >= 0.1:
        yield from conversation
        return
    held = None
    for at, frame in conversation:
        if held:
            yield at, frame
            yield at, held
            held = None
        elif len(frame) > 200 and office.random.random() < 0.3:
            held = frame
        else:
            yield at, frame
    if held:
        yield at, held


# --- Conversations with nothing to name ------------------------------------------


def scan(office, at):
    """A port that is closed, or silent."""
    talk = office.conversation(office.random.choice((23, 80, 443, 445, 3389, 5900)))
    yield at, talk.tcp(0, SYN)
    if office.random.random() < 0.7:
        yield at + 900, talk.tcp(1, 4 | ACK)
    else:
        yield at + 1_000_000, talk.tcp(0, SYN, back=1)


def shell(office, at):
    """Short exchanges of a protocol that nobody reads."""
    random = office.random
    talk = office.conversation(random.choice((22, 445, 1883, 5432, 6379, 9200)), bytes([10, 20, 200, 7]))
    yield at, talk.tcp(0, SYN)
    yield at + 300, talk.tcp(1, SYN | ACK)
    yield at + 500, talk.tcp(0, ACK)
    for _ in range(random.randrange(2, 9)):
        at += 1000
        sender = random.getrandbits(1)
        yield at, talk.tcp(sender, PSH | ACK, weighed(random.randbytes(random.randrange(20, 300))))
    yield at + 300, talk.tcp(0, FIN | ACK)
    yield at + 600, talk.tcp(1, FIN | ACK)


def datagrams(port, first, sizes, most):
    """UDP on a port, each datagram with the same first bytes."""

    def conversation(office, at):
        random = office.random
        talk = office.conversation(port)
        for number in range(random.randrange(1, most)):
            body = first + random.randbytes(random.randrange(*sizes))
            yield at, talk.udp(number & 1, weighed(body))
            at += 20_000

    return conversation


def echo(office, at):
    """ICMP, both directions."""
    talk = office.conversation(0, office.address4())
    body = b"\0\1" + office.random.randbytes(58)
    for sender, kind in ((0, 8), (1, 0)):
        message = struct.pack("!BB", kind, 0) + checksum(kind * (1 if wire.LITTLE else 256) + words(body)) + body
        yield at, talk.ethernet[sender] + talk.ip(sender, 1, len(message)) + message
        at += 3000


def link(office, at):
    """Frames that are no IP: ARP, spanning tree, LLDP."""
    client = office.random.choice(office.clients)
    arp = b"\x08\x06\0\1\x08\0\6\4\0\1" + client.mac + client.address4 + bytes(6) + bytes([10, 20, 0, 1])
    other = (b"\x88\xcc" + bytes(46), b"\0\x26\x42\x42\3" + bytes(43))
    yield at, b"\xff" * 6 + client.mac + office.random.choice((arp, arp, arp, *other)).ljust(48, b"\0")


def pieces(office, at):
    """A datagram in IP fragments, of a protocol that nobody reads."""
    talk = office.conversation(5060, office.address4())
    whole = talk.udp(0, weighed(office.random.randbytes(2900)))
    head, kind, packet = split(whole)
    body = packet[20:]
    parts = [(start, body[start : start + MSS]) for start in range(0, len(body), MSS)]
    if office.random.random() < 0.2:
        parts.reverse()
    for start, part in parts:
        more = 0x2000 if start + len(part) < len(body) else 0
        header = packet[:2] + struct.pack("!HHHBB", 20 + len(part), talk.identification, more | start >> 3, 64, 17)
        header += checksum(words(header) + talk.pseudo) + packet[12:20]
        yield at, head + kind + header + part
        at += 20


ODD = (
    (scan, 120),
    (shell, 60),
    (echo, 40),
    (link, 60),
    (pieces, 15),
    (datagrams(123, b"\x23", (47, 48), 3), 60),  # NTP
    (datagrams(161, b"0\x29\2\1\1\4\6public", (20, 60), 3), 20),  # SNMP
    (datagrams(3478, b"\0\1\0\x0c\x21\x12\xa4\x42", (20, 21), 4), 20),  # STUN
    (datagrams(16384, b"\x80\0", (170, 171), 60), 8),  # RTP
    (datagrams(51820, b"\4\0\0\0", (60, 1300), 20), 8),  # WireGuard
    (datagrams(443, b"\x40", (30, 1100), 12), 20),  # QUIC that began before
)
