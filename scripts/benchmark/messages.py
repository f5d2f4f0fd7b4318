"""The messages that name a server: DNS, TLS and QUIC, with random contents."""

import hashlib
import hmac
import struct

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

A, CNAME, AAAA, HTTPS = 1, 5, 28, 65
OPT = b"\0" + struct.pack("!HHIH", 41, 1232, 0, 0)


# --- DNS (RFC 1035, RFC 6891) -----------------------------------------------


def labels(name):
    return b"".join(bytes([len(label)]) + label.encode() for label in name.split(".")) + b"\0"


def dns_question(number, name, kind):
    return struct.pack("!HHHHHH", number, 0x0100, 1, 0, 0, 1) + labels(name) + struct.pack("!HH", kind, 1) + OPT


def dns_answer(number, name, kind, aliases, addresses):
    """An answer; the records of the address belong to the last alias."""
    body, owner, records = labels(name) + struct.pack("!HH", kind, 1), 0xC00C, 0
    for alias in aliases:
        target = labels(alias)
        body += struct.pack("!HHHIH", owner, CNAME, 1, 300, len(target)) + target
        owner, records = 0xC000 | (12 + len(body) - len(target)), records + 1
    for address in addresses:
        body += struct.pack("!HHHIH", owner, kind, 1, 60, len(address)) + address
        records += 1
    return struct.pack("!HHHHHH", number, 0x8180, 1, records, 0, 1) + body + OPT


# --- TLS (RFC 8446) ---------------------------------------------------------


def extension(kind, body):
    return struct.pack("!HH", kind, len(body)) + body


def client_hello(random, name, post_quantum, quic=None):
    """A ClientHello as handshake message; with QUIC transport parameters, for QUIC."""
    host = name.encode()
    share = struct.pack("!HH", 0x001D, 32) + random.randbytes(32)
    groups = [0x001D, 0x0017, 0x0018]
    if post_quantum:
        share = struct.pack("!HH", 0x11EC, 1216) + random.randbytes(1216) + share
        groups.insert(0, 0x11EC)
    protocols = b"\x02h3" if quic else b"\x02h2\x08http/1.1"
    signatures = [0x0403, 0x0804, 0x0401, 0x0503, 0x0805, 0x0501, 0x0806, 0x0601]
    extensions = [
        extension(0, struct.pack("!HBH", len(host) + 3, 0, len(host)) + host),
        extension(10, struct.pack(f"!{len(groups) + 1}H", 2 * len(groups), *groups)),
        extension(13, struct.pack("!9H", 16, *signatures)),
        extension(16, struct.pack("!H", len(protocols)) + protocols),
        extension(43, b"\x04\x03\x04\x03\x03"),
        extension(45, b"\x01\x01"),
        extension(51, struct.pack("!H", len(share)) + share),
    ]
    if random.random() < 0.4:  # as browsers do, with nothing behind it
        extensions.append(extension(0xFE0D, b"\0\0\x01\0\x01" + random.randbytes(213)))
    if quic:
        extensions.append(extension(57, quic))
    else:
        extensions += [extension(23, b""), extension(0xFF01, b"\0")]
    random.shuffle(extensions)
    body = b"".join(extensions)
    session = b"\0" if quic else b"\x20" + random.randbytes(32)
    ciphers = struct.pack("!8H", 14, 0x1301, 0x1302, 0x1303, 0xC02B, 0xC02F, 0xC02C, 0xC030)
    body = b"\x03\x03" + random.randbytes(32) + session + ciphers + b"\x01\0" + struct.pack("!H", len(body)) + body
    return b"\x01" + struct.pack("!I", len(body))[1:] + body


def server_hello(random, session=True):
    share = extension(51, struct.pack("!HH", 0x001D, 32) + random.randbytes(32))
    extensions = extension(43, b"\x03\x04") + share
    echo = b"\x20" + random.randbytes(32) if session else b"\0"
    body = b"\x03\x03" + random.randbytes(32) + echo + b"\x13\x01\0" + struct.pack("!H", len(extensions)) + extensions
    return b"\x02" + struct.pack("!I", len(body))[1:] + body


def record(kind, body, version=0x0303):
    return struct.pack("!BHH", kind, version, len(body)) + body


# --- QUIC version 1 (RFC 9000, RFC 9001) ------------------------------------

INITIAL_SALT = bytes.fromhex("38762cf7f55934b34d179ae6a4c80cadccbb7f0a")


def varint(value):
    if value < 1 << 6:
        return bytes([value])
    return struct.pack("!H", 0x4000 | value) if value < 1 << 14 else struct.pack("!I", 0x80000000 | value)


def expand_label(secret, label, length):
    info = struct.pack("!HB", length, 6 + len(label)) + b"tls13 " + label + b"\0\x01"
    return hmac.new(secret, info, hashlib.sha256).digest()[:length]


def crypto_frame(offset, data):
    return b"\x06" + varint(offset) + varint(len(data)) + data


class InitialKeys:
    """Seals the Initial packets of one side, whose keys follow from the
    client's first destination connection id."""

    def __init__(self, connection, label):
        initial = hmac.new(INITIAL_SALT, connection, hashlib.sha256).digest()
        secret = expand_label(initial, label, 32)
        self.aead = AESGCM(expand_label(secret, b"quic key", 16))
        self.iv = expand_label(secret, b"quic iv", 12)
        self.mask = Cipher(algorithms.AES(expand_label(secret, b"quic hp", 16)), modes.ECB()).encryptor()

    def seal(self, destination, source, number, frames):
        """An Initial packet, padded so that its datagram has 1,200 bytes."""
        head = b"\xc3\0\0\0\x01" + bytes([len(destination)]) + destination + bytes([len(source)]) + source + b"\0"
        padded = frames.ljust(1200 - len(head) - 2 - 4 - 16, b"\0")
        head += varint(4 + len(padded) + 16) + struct.pack("!I", number)
        nonce = (int.from_bytes(self.iv, "big") ^ number).to_bytes(12, "big")
        sealed = self.aead.encrypt(nonce, padded, head)
        mask = self.mask.update(sealed[:16])
        head = bytearray(head)
        head[0] ^= mask[0] & 0x0F
        for i in range(4):
            head[i - 4] ^= mask[1 + i]
        return bytes(head) + sealed
