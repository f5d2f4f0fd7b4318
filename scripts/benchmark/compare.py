#!/usr/bin/env python3
"""Compares the names that a program found with the truth of generate.py.

usage: compare.py TRUTH spansight|tshark < OUTPUT

spansight: `spansight names`; channel, addresses, ports and name must agree.
tshark: lines of dns.qry.name, dns.cname, tls.handshake.extensions_server_name
and http.host, separated by tabs; only channel and name are compared.
Prints "<found> <missing> <false>" and fails unless all agree.
"""

import collections
import json
import sys

# tshark does not tell questions from answers, nor TLS from QUIC, in these fields.
TSHARK_CHANNELS = ("dns", "dns_cname", "sni", "http_host")
COARSE = {"dns_query": "dns", "dns_answer": "dns", "tls_sni": "sni", "quic_sni": "sni"}


def truth(path, coarse):
    for line in open(path):
        channel, *ends, name = line.rstrip("\n").split("\t")
        yield (COARSE.get(channel, channel), name) if coarse else (channel, *ends, name)


def from_spansight(lines):
    for line in lines:
        found = json.loads(line)
        ends = (found["src"], str(found["sport"]), found["dst"], str(found["dport"]))
        yield (found["channel"], *ends, found["name"])


def from_tshark(lines):
    for line in lines:
        for channel, names in zip(TSHARK_CHANNELS, line.rstrip("\n").split("\t")):
            for name in names.lower().split(",") if names else ():
                yield channel, name.rsplit(":", 1)[0] if channel == "http_host" else name


def main(path, program):
    readers = {"spansight": from_spansight, "tshark": from_tshark}
    wanted = collections.Counter(truth(path, coarse=program == "tshark"))
    found = collections.Counter(readers[program](sys.stdin))
    missing, false = wanted - found, found - wanted
    for kind, names in (("missing", missing), ("false", false)):
        for name in list(names)[:5]:
            print(kind, *name, file=sys.stderr)
    print((wanted & found).total(), missing.total(), false.total())
    return 1 if missing or false else 0


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    sys.exit(main(*sys.argv[1:]))
