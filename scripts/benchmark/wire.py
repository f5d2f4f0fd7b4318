"""Frames of one TCP or UDP conversation, with right lengths and checksums."""

import ipaddress
import struct
import sys

SYN, ACK, PSH, FIN = 2, 16, 8, 1
MSS = 1440
NOTHING = (b"", 0)
LITTLE = sys.byteorder == "little"


def words(data):
    """The sum of 16-bit words that the Internet checksum is made of.

    In the machine's byte order, which the checksum does not mind.
    """
    if len(data) & 1:
        data += b"\0"
    return sum(memoryview(data).cast("H"))


def checksum(total):
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return struct.pack("=H", 0xFFFF ^ total)


def weighed(payload):
    """A payload with its share of the checksum, for use many times over."""
    return payload, words(payload)


class Client:
    """A computer of the office. Gives each conversation a port of its own."""

    def __init__(self, number):
        self.mac = bytes.fromhex("02000000") + struct.pack("!H", number)
        self.address4 = bytes([10, 20, number >> 8, number & 0xFF])
        self.address6 = ipaddress.ip_address("fd20::").packed[:8] + struct.pack("!Q", number)
        self.vlan = struct.pack("!HH", 0x8100, 100 + number % 40) if number % 4 == 0 else b""
        self.port = 32768

    def next_port(self):
        self.port = self.port + 1 if self.port < 60999 else 32768
        return self.port


class Conversation:
    ROUTER = bytes.fromhex("00005e005301")

    def __init__(self, client, server, port, random):
        self.addresses = (client.address4 if len(server) == 4 else client.address6, server)
        self.ports = (client.next_port(), port)
        self.ethernet = tuple(
            macs + client.vlan + (b"\x08\x00" if len(server) == 4 else b"\x86\xdd")
            for macs in (self.ROUTER + client.mac, client.mac + self.ROUTER)
        )
        self.pseudo = words(b"".join(self.addresses))
        self.sequence = [random.getrandbits(32), random.getrandbits(32)]
        self.identification = random.getrandbits(16)

    def ip(self, sender, protocol, length):
        source, destination = self.addresses[sender], self.addresses[1 - sender]
        if len(source) == 16:
            return struct.pack("!IHBB", 6 << 28, length, protocol, 64) + source + destination
        self.identification = (self.identification + 1) & 0xFFFF
        start = struct.pack("!BBHHHBB", 0x45, 0, 20 + length, self.identification, 0x4000, 64, protocol)
        return start + checksum(words(start) + self.pseudo) + source + destination

    def tcp(self, sender, flags, payload=NOTHING, back=None):
        """A segment; the sender's sequence number advances.

        With `back`, it begins that many bytes before the sequence number,
        which stays: a repeated or a reordered segment.
        """
        data, share = payload
        sequence, acknowledged = self.sequence[sender], self.sequence[1 - sender]
        if back is None:
            self.sequence[sender] = (sequence + len(data) + (1 if flags & (SYN | FIN) else 0)) & 0xFFFFFFFF
        else:
            sequence = (sequence - back) & 0xFFFFFFFF
        options = struct.pack("!BBHBBBBBBBB", 2, 4, MSS, 4, 2, 1, 3, 3, 7, 0, 0) if flags & SYN else b""
        offset = (20 + len(options)) << 2
        if not flags & ACK:
            acknowledged = 0
        source, destination = self.ports[sender], self.ports[1 - sender]
        head = struct.pack("!HHIIBBH", source, destination, sequence, acknowledged, offset, flags, 64240)
        length = 20 + len(options) + len(data)
        total = self.pseudo + words(struct.pack("!HH", 6, length)) + words(head) + words(options) + share
        return self.ethernet[sender] + self.ip(sender, 6, length) + head + checksum(total) + b"\0\0" + options + data

    def udp(self, sender, payload):
        data, share = payload
        length = 8 + len(data)
        head = struct.pack("!HHH", self.ports[sender], self.ports[1 - sender], length)
        total = self.pseudo + words(struct.pack("!HH", 17, length)) + words(head) + share
        sum_ = checksum(total)
        return self.ethernet[sender] + self.ip(sender, 17, length) + head + (sum_ if any(sum_) else b"\xff\xff") + data
