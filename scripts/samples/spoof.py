"""Sends frames whose source address is a lie.

answer ADDRESS MAC NAME    from 10.30.0.53: an answer to a question that
                           ADDRESS, with hardware address MAC, never asked
hello SOURCE MAC NAME      from SOURCE, by way of the gateway MAC: a SYN and a
                           ClientHello for NAME to 198.51.100.80
Standard library only.
"""

import socket
import ssl
import struct
import sys

ME = bytes.fromhex(open("/sys/class/net/eth0/address").read().strip().replace(":", ""))


def checksum(data):
    data += b"\0" * (len(data) % 2)
    total = sum(struct.unpack(f">{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def send(mac, source, target, protocol, segment, checksum_at):
    """One IPv4 packet; the checksum of the segment is filled in."""
    src, dst = socket.inet_aton(source), socket.inet_aton(target)
    pseudo = src + dst + struct.pack(">BBH", 0, protocol, len(segment))
    at = checksum_at
    segment = segment[:at] + struct.pack(">H", checksum(pseudo + segment)) + segment[at + 2 :]
    head = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(segment), 7, 0, 64, protocol, 0) + src + dst
    head = head[:10] + struct.pack(">H", checksum(head)) + head[12:]
    link = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
    link.bind(("eth0", 0x0800))
    link.send(bytes.fromhex(mac.replace(":", "")) + ME + b"\x08\x00" + head + segment)


def answer(address, mac, name):
    labels = b"".join(bytes([len(part)]) + part.encode() for part in name.split(".")) + b"\0"
    message = struct.pack(">HHHHHH", 0x4711, 0x8180, 1, 1, 0, 0) + labels + struct.pack(">HH", 1, 1)
    message += struct.pack(">HHHIH", 0xC00C, 1, 1, 60, 4) + socket.inet_aton("198.51.100.80")
    datagram = struct.pack(">HHHH", 53, 40000, 8 + len(message), 0) + message
    send(mac, "10.30.0.53", address, 17, datagram, 6)


def client_hello(name):
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    session = ssl.create_default_context().wrap_bio(incoming, outgoing, server_hostname=name)
    try:
        session.do_handshake()
    except ssl.SSLWantReadError:
        pass
    return outgoing.read()


def hello(source, mac, name):
    for flags, seq, payload in ((0x02, 1000, b""), (0x18, 1001, client_hello(name))):
        tcp = struct.pack(">HHIIBBHHH", 50000, 443, seq, 1 if payload else 0, 0x50, flags, 64240, 0, 0)
        send(mac, source, "198.51.100.80", 6, tcp + payload, 16)


{"answer": answer, "hello": hello}[sys.argv[1]](*sys.argv[2:])
