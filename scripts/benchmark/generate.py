#!/usr/bin/env python3
"""Writes a capture of made-up office traffic, and the names that are in it.

usage: generate.py CAPTURE TRUTH BYTES [SEED [office|dense]]

The capture is a little larger than BYTES, so that no conversation is cut off.
The same arguments give the same bytes. TRUTH has one line for each name:
channel, source, port, destination, port, name, as `spansight names` reports
them. About a hundred conversations start every second: DNS over UDP and TCP;
TLS, half of it with post-quantum ClientHellos in two segments, some of them
reordered, repeated or dribbled; HTTP; QUIC with encrypted Initials, whose
ClientHello may lie in several frames and datagrams in any order; and bulk
transfers of all of these and of other protocols. One conversation in seven
is IPv6, one client in four has a VLAN tag. `dense` has hardly any bulk, ten
times as many conversations a second, tunnels, odd protocols, and segments out
of order; see dense.py.
"""

import heapq
import ipaddress
import random as random_module
import struct
import sys

import dense
import messages
from messages import A, AAAA, HTTPS
from wire import ACK, FIN, MSS, NOTHING, PSH, SYN, Client, Conversation, weighed

EPOCH = 1_772_438_400_000_000  # 2026-03-02T08:00:00Z in microseconds
UP, DOWN = 0, 1

CATALOGUED = """s00.upd.kaspersky.com p07.upd.kaspersky.com dnl-01.geo.kaspersky.com downloads.upd.kaspersky.com
ds.kaspersky.com touch.kaspersky.com ksn-url-geo.kaspersky-labs.com activation-v2.kaspersky.com
www.kaspersky.com crl.kaspersky.com kasperskyupdate.com""".split()
WORDS = """mail cdn api static img login portal video edge store sync chat data assets push news shop auth docs
wiki build git time files print""".split()


class Office:
    """Clients, servers, names and payloads to draw from, and the truth."""

    def __init__(self, seed, truth, sort="office"):
        self.random = random_module.Random(seed)
        self.truth = truth
        self.dense = sort == "dense"
        self.clients = [Client(number) for number in range(2, 2002)]
        self.encrypted = [self.train(messages.record(23, self.random.randbytes(16401))) for _ in range(40)]
        self.plain = [self.train(self.random.randbytes(16406)) for _ in range(40)]
        short = (bytes([0x40 | self.random.getrandbits(5)]) + self.random.randbytes(1199) for _ in range(200))
        self.short_headers = [weighed(datagram) for datagram in short]

    @staticmethod
    def train(data):
        return [weighed(data[at : at + MSS]) for at in range(0, len(data), MSS)]

    def name(self):
        random = self.random
        if random.random() < 0.005:
            return random.choice(CATALOGUED)
        domain = f"{random.choice(WORDS)}{random.randrange(400)}.{random.choice(WORDS)}{random.randrange(900)}"
        return f"{domain}.example.{random.choice(('com', 'net', 'org'))}"

    def address4(self):
        network = self.random.choice((b"\xc0\x00\x02", b"\xc6\x33\x64", b"\xcb\x00\x71"))
        return network + bytes([self.random.randrange(1, 255)])

    def address6(self):
        return bytes.fromhex("20010db800010000") + struct.pack("!Q", self.random.randrange(1, 60000))

    def conversation(self, port, server=None):
        if server is None:
            server = self.address6() if self.random.random() < 0.15 else self.address4()
        return Conversation(self.random.choice(self.clients), server, port, self.random)

    def note(self, channel, talk, sender, name):
        source, destination = (ipaddress.ip_address(talk.addresses[side]) for side in (sender, 1 - sender))
        ports = talk.ports[sender], talk.ports[1 - sender]
        self.truth.write(f"{channel}\t{source}\t{ports[0]}\t{destination}\t{ports[1]}\t{name}\n")

    def pareto(self, shape, most):
        """How much bulk there is; hardly any in a dense capture."""
        if self.dense:
            return int(self.random.random() < 0.1)
        return min(most, int(self.random.paretovariate(shape)))


# Each kind of conversation is a generator of (microseconds, frame), in order.


def opened(talk, at, trip):
    """TCP's handshake. Returns the time after it."""
    yield at, talk.tcp(UP, SYN)
    yield at + trip, talk.tcp(DOWN, SYN | ACK)
    yield at + trip + 200, talk.tcp(UP, ACK)
    return at + trip + 400


def closed(talk, at, trip):
    yield at, talk.tcp(UP, FIN | ACK)
    yield at + trip, talk.tcp(DOWN, FIN | ACK)
    yield at + trip + 100, talk.tcp(UP, ACK)


def transferred(office, talk, at, trains, choice, gap):
    """Bulk data from the server, every other segment acknowledged."""
    for _ in range(trains):
        for number, payload in enumerate(office.random.choice(choice)):
            at += gap + office.random.randrange(60)
            yield at, talk.tcp(DOWN, PSH | ACK, payload)
            if number % 2:
                at += 20
                yield at, talk.tcp(UP, ACK)
    return at + 1000


def dns(office, at):
    random = office.random
    talk = office.conversation(53, bytes([10, 20, 250, random.choice((53, 54))]))
    name, kind, number = office.name(), random.choice((A, A, A, AAAA, HTTPS)), random.getrandbits(16)
    asked = "".join(random.choice((c, c.upper())) for c in name) if random.random() < 0.1 else name
    aliases, addresses = [], []
    if kind != HTTPS:
        for _ in range(random.choice((0, 0, 1, 2))):
            aliases.append(f"e{random.randrange(9999)}.cdn{random.randrange(30)}.example.net")
        draw = office.address4 if kind == A else office.address6
        addresses = [draw() for _ in range(random.randrange(1, 5))]
    question = messages.dns_question(number, asked, kind)
    answer = messages.dns_answer(number, asked, kind, aliases, addresses)
    trip = random.randrange(300, 40000)
    if random.random() < 0.02:
        at = yield from opened(talk, at, trip)
        yield at, talk.tcp(UP, PSH | ACK, weighed(struct.pack("!H", len(question)) + question))
        yield at + trip, talk.tcp(DOWN, PSH | ACK, weighed(struct.pack("!H", len(answer)) + answer))
        yield from closed(talk, at + trip + 500, trip)
    else:
        yield at, talk.udp(UP, weighed(question))
        yield at + trip, talk.udp(DOWN, weighed(answer))
    office.note("dns_query", talk, UP, name)
    office.note("dns_answer", talk, DOWN, name)
    for alias in aliases:
        office.note("dns_cname", talk, DOWN, alias)


def hello_sent(office, talk, at, hello):
    """A ClientHello as the network may deliver it. Returns the time after it."""
    random, luck = office.random, office.random.random()
    if luck < 0.03:  # the second part before the first
        cut = random.randrange(100, min(MSS, len(hello) - 100))
        rest = hello[cut:]
        talk.sequence[UP] = (talk.sequence[UP] + len(hello)) & 0xFFFFFFFF
        yield at, talk.tcp(UP, PSH | ACK, weighed(rest), back=len(rest))
        yield at + 150, talk.tcp(UP, ACK, weighed(hello[:cut]), back=len(hello))
        return at + 200
    if luck < 0.05:  # dribbled
        while hello:
            cut = random.randrange(1, 90)
            yield at, talk.tcp(UP, PSH | ACK, weighed(hello[:cut]))
            hello, at = hello[cut:], at + 40
        return at
    for start in range(0, len(hello), MSS):
        yield at, talk.tcp(UP, PSH | ACK, weighed(hello[start : start + MSS]))
        at += 30
    if luck < 0.07:  # its first segment once more
        yield at, talk.tcp(UP, ACK, weighed(hello[:MSS]), back=len(hello))
        at += 30
    return at


def tls(office, at):
    random = office.random
    talk, name, trip = office.conversation(443), office.name(), random.randrange(2000, 60000)
    at = yield from opened(talk, at, trip)
    hello = messages.record(22, messages.client_hello(random, name, random.random() < 0.5), 0x0301)
    at = yield from hello_sent(office, talk, at, hello)
    office.note("tls_sni", talk, UP, name)
    answer = messages.record(22, messages.server_hello(random)) + messages.record(20, b"\x01")
    answer += messages.record(23, random.randbytes(1000))
    yield at + trip, talk.tcp(DOWN, PSH | ACK, weighed(answer))
    finished = messages.record(20, b"\x01") + messages.record(23, random.randbytes(53))
    yield at + trip + 300, talk.tcp(UP, PSH | ACK, weighed(finished))
    yield at + trip + 700, talk.tcp(UP, PSH | ACK, weighed(messages.record(23, random.randbytes(300))))
    trains = office.pareto(1.15, 40)
    at = yield from transferred(office, talk, at + 2 * trip, trains, office.encrypted, 130)
    yield from closed(talk, at, trip)


def http(office, at):
    random = office.random
    talk, name, trip = office.conversation(random.choice((80, 80, 80, 8080))), office.name(), 9000
    at = yield from opened(talk, at, trip)
    host = name if talk.ports[1] == 80 else f"{name}:8080"
    request = f"GET /{random.choice(WORDS)}/{random.randrange(10**5)}.bin HTTP/1.1\r\nUser-Agent: sample/1\r\n"
    request += f"Accept: */*\r\nHost: {host}\r\nConnection: close\r\n\r\n"
    yield at, talk.tcp(UP, PSH | ACK, weighed(request.encode()))
    office.note("http_host", talk, UP, name)
    trains = office.pareto(1.1, 40)
    answer = f"HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nContent-Length: {16406 * trains}\r\n\r\n"
    yield at + trip, talk.tcp(DOWN, PSH | ACK, weighed(answer.encode()))
    at = yield from transferred(office, talk, at + trip, trains, office.plain, 130)
    yield from closed(talk, at, trip)


def initials(office, keys, connection, hello):
    """The Initial packets that carry a ClientHello, in the order sent."""
    random = office.random
    cuts = [0, len(hello)]
    if len(hello) > 1100:
        cuts.insert(1, random.randrange(len(hello) - 1100, 1100))
    parts = list(zip(cuts, cuts[1:]))
    packets = []
    for number, (start, end) in enumerate(parts):
        pieces = [(start, end)]
        if random.random() < 0.4:  # scattered over frames in any order
            inner = sorted(random.sample(range(start + 1, end), 3))
            pieces = list(zip([start, *inner], [*inner, end]))
            random.shuffle(pieces)
        frames = random.choice((b"", b"\x01")).join(messages.crypto_frame(a, hello[a:b]) for a, b in pieces)
        packets.append(keys.seal(connection, b"", number, frames))
    if random.random() < 0.1:
        packets.reverse()
    return packets


def quic(office, at):
    random = office.random
    talk, name, trip = office.conversation(443), office.name(), random.randrange(2000, 60000)
    connection, own = random.randbytes(8), random.randbytes(8)
    parameters = b"\x01\x04\x80\0\x75\x30\x04\x04\x80\x10\0\0\x0f\0"
    hello = messages.client_hello(random, name, random.random() < 0.5, parameters)
    for packet in initials(office, messages.InitialKeys(connection, b"client in"), connection, hello):
        yield at, talk.udp(UP, weighed(packet))
        at += 120
    office.note("quic_sni", talk, UP, name)
    answer = b"\x02\0\0\0\0" + messages.crypto_frame(0, messages.server_hello(random, session=False))
    at += trip
    yield at, talk.udp(DOWN, weighed(messages.InitialKeys(connection, b"server in").seal(b"", own, 0, answer)))
    for number in range(8 * office.pareto(1.1, 50)):
        at += 150 + random.randrange(60)
        yield at, talk.udp(DOWN, random.choice(office.short_headers))
        if number % 4 == 3:
            yield at + 10, talk.udp(UP, weighed(b"\x41" + random.randbytes(34)))


def other(office, at):
    """File servers and the like, inside the office: nothing to name."""
    random = office.random
    server = bytes([10, 20, 200 + random.randrange(20), random.randrange(1, 250)])
    talk = office.conversation(random.choice((22, 445, 445, 1433, 3389, 5432, 9200)), server)
    at = yield from opened(talk, at, 300)
    at = yield from transferred(office, talk, at, 4 * (not office.dense) + office.pareto(0.9, 150), office.plain, 60)
    yield from closed(talk, at, 300)


KINDS = ((dns, 700), (tls, 180), (quic, 45), (http, 25), (other, 50))
DENSE = ((dns, 400), (tls, 250), (quic, 50), (http, 100), (other, 50), *dense.ODD)


def frames(office, enough):
    """All conversations' frames in the order of time. Once `enough` says so,
    no conversation starts any more; those under way end."""
    kinds, weights = zip(*(DENSE if office.dense else KINDS))
    every = 1e-3 if office.dense else 1e-4  # one in 1 ms or 10 ms on average
    running, started, start = [], 0, 0
    while True:
        while not enough() and (not running or running[0][0] >= start):
            conversation = office.random.choices(kinds, weights)[0](office, start)
            if office.dense:
                conversation = dense.wrapped(office, dense.displaced(office, conversation))
            at, frame = next(conversation)
            heapq.heappush(running, (at, started, frame, conversation))
            started += 1
            start += int(office.random.expovariate(every))
        if not running:
            return
        at, number, frame, conversation = running[0]
        yield at, frame
        following = next(conversation, None)
        if following:
            heapq.heapreplace(running, (following[0], number, following[1], conversation))
        else:
            heapq.heappop(running)


def main(capture, truth, size, seed=1, sort="office"):
    size, packets, written = int(size), 0, 24
    with open(capture, "wb", 1 << 22) as out, open(truth, "w") as names:
        out.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262144, 1))
        for at, frame in frames(Office(int(seed), names, sort), lambda: written >= size):
            seconds, micros = divmod(EPOCH + at, 10**6)
            out.write(struct.pack("<IIII", seconds, micros, len(frame), len(frame)) + frame)
            packets, written = packets + 1, written + 16 + len(frame)
    print(f"{packets} packets, {written} bytes", file=sys.stderr)


if __name__ == "__main__":
    if len(sys.argv) not in (4, 5, 6) or sys.argv[5:] not in ([], ["office"], ["dense"]):
        sys.exit(__doc__)
    main(*sys.argv[1:])
