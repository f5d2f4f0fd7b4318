"""Sends A questions at once on one TCP connection, in segments of seven bytes.

usage: pipelined-dns.py SERVER NAME...
"""

import socket
import struct
import sys
import time

messages = b""
for number, name in enumerate(sys.argv[2:], 1):
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
    question = struct.pack("!HHHHHH", number, 0x0100, 1, 0, 0, 0) + labels + b"\0" + struct.pack("!HH", 1, 1)
    messages += struct.pack("!H", len(question)) + question

with socket.create_connection((sys.argv[1], 53), timeout=5) as connection:
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for at in range(0, len(messages), 7):
        connection.send(messages[at : at + 7])
        time.sleep(0.003)
    for _ in sys.argv[2:]:
        (length,) = struct.unpack("!H", connection.recv(2, socket.MSG_WAITALL))
        connection.recv(length, socket.MSG_WAITALL)
