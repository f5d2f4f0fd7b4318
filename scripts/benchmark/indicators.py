#!/usr/bin/env python3
"""Writes a catalogue file with many indicators of every kind, for measuring.

usage: indicators.py FILE [COUNT [SEED]]     a million and 1 by default

The same arguments give the same bytes. Of a thousand indicators 400 are exact
names, 250 suffixes, 60 host patterns, 100 IPv4 and 30 IPv6 addresses, 60 IPv4
and 30 IPv6 prefixes, 50 paths, 10 ports, 5 payloads and 5 User-Agents. A fifth of
the names lie beside those of generate.py, so that looking these up goes as deep
as it can; none fits a name, address or path of that capture.
"""

import ipaddress
import random as random_module
import sys

SHARES = (
    ("exact", 400), ("suffix", 250), ("host", 60), ("address4", 100), ("address6", 30), ("prefix4", 60),
    ("prefix6", 30), ("path", 50), ("lan_port", 10), ("payload", 5), ("user_agent", 5),
)  # fmt: skip
WORDS = """mail cdn api static img login portal video edge store sync chat data assets push news shop auth docs
wiki build git time files print""".split()
LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789"
TOPS = ("com", "net", "org", "top", "xyz", "info", "de", "co.uk")
CATEGORIES = ("web", "service", "lookalike", "sinkhole", "reputation")


class Lists:
    """What the indicators of a file are drawn from."""

    def __init__(self, seed):
        self.random = random_module.Random(seed)

    def word(self, shortest, longest):
        random = self.random
        return "".join(random.choices(LETTERS, k=random.randrange(shortest, longest + 1)))

    def domain(self):
        random = self.random
        if random.random() < 0.2:
            # generate.py numbers its words from 0 to 899.
            near = f"{random.choice(WORDS)}{random.randrange(900)}.example.{random.choice(('com', 'net', 'org'))}"
            return f"{self.word(6, 10)}x.{near}"
        return f"{self.word(5, 14)}.{random.choice(TOPS)}"

    def value(self, kind, number):
        random = self.random
        if kind == "exact":
            return f'exact = "{random.choice(WORDS)}.{self.domain()}"'
        if kind == "suffix":
            return f'suffix = "{self.domain()}"'
        if kind == "host":
            first, deep = self.word(3, 6), random.random() < 0.3
            labels = random.choice((f"{first}[0-9]+", f"{first}-[a-z0-9]{{4,12}}", f"[^.]+\\.{first}", f"{first}.*"))
            under = "dyn.example.net" if deep else self.domain()
            return f"host = {{ labels = '{labels}', under = \"{under}\" }}"
        if kind == "address4":
            # 100.64.0.0/10 to 191.255.255.255: none of the capture's.
            return f'address = "{ipaddress.IPv4Address(random.randrange(0x64400000, 0xC0000000))}"'
        if kind == "prefix4":
            length = random.randrange(20, 30)
            network = random.randrange(0x64400000, 0xC0000000) >> (32 - length) << (32 - length)
            return f'address = "{ipaddress.IPv4Address(network)}/{length}"'
        if kind in ("address6", "prefix6"):
            length = 128 if kind == "address6" else random.randrange(32, 65)
            bits = 0x2A << 120 | random.getrandbits(120)
            bits = bits >> (128 - length) << (128 - length)
            tail = "" if length == 128 else f"/{length}"
            return f'address = "{ipaddress.IPv6Address(bits)}{tail}"'
        if kind == "path":
            page = f"{self.word(4, 9)}/{self.word(4, 12)}"
            return random.choice(
                (
                    f"path = {{ regex = '^/{page}\\.php$' }}",
                    f"path = {{ regex = '/{page}\\?id=[0-9]+' }}",
                    f"path = {{ regex = '/[a-z]+/{page}', contains = \"{page}\" }}",
                )
            )
        if kind == "lan_port":
            return f'lan_port = "{random.choice(("tcp", "udp"))}/{random.randrange(20000, 60000)}"'
        if kind == "payload":
            data = bytes([0x80 | random.getrandbits(7)]) + random.randbytes(7)
            return f'payload = {{ on = "tcp/{random.randrange(1024, 65536)}", starts = "{data.hex()}" }}'
        return f"user_agent = '{self.word(6, 12)}/[0-9.]+'"

    def indicators(self, count):
        kinds = [kind for kind, share in SHARES for _ in range(share)]
        self.random.shuffle(kinds)
        for number in range(count):
            kind = kinds[number % len(kinds)]
            category = self.random.choice(CATEGORIES)
            use = "support" if kind == "lan_port" else "alone"
            yield (
                f'[[indicator]]\nid = "feed-{number}"\ncategory = "{category}"\nuse = "{use}"\n'
                f'confidence = "medium"\n{self.value(kind, number)}\n'
                f'meaning = "Entry {number} of a feed."\nsources = ["https://feed.example/{number % 50}"]\n\n'
            )


def main(path, count=1_000_000, seed=1):
    with open(path, "w", encoding="ascii") as file:
        file.writelines(Lists(int(seed)).indicators(int(count)))


if __name__ == "__main__":
    if not 2 <= len(sys.argv) <= 4:
        sys.exit(__doc__)
    main(*sys.argv[1:])
