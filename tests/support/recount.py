#!/usr/bin/env python3
"""Counts sighting records again, with nothing of the program: sets of what the
lines say. For records of update and reputation servers alone, where each
hardware address has one address at a time.

usage: recount.py RECORDS.ndjson GROUPS.csv BASELINE CURRENT   (months, as 2025-01)
"""

import csv
import datetime
import ipaddress
import json
import math
import statistics
import sys


def read_groups(path):
    with open(path, newline="", encoding="utf-8") as file:
        rows = [(ipaddress.ip_network(row["prefix"]), row) for row in csv.DictReader(file)]
    return sorted(rows, key=lambda row: -row[0].prefixlen)


def group_of(groups, address, day):
    for network, row in groups:
        if address in network and (row["valid_from"] or day) <= day <= (row["valid_to"] or day):
            return row
    return {}


def wilson(part, whole):
    if not whole:
        return None
    z = statistics.NormalDist().inv_cdf(0.975)
    p = part / whole
    middle = (p + z * z / (2 * whole)) / (1 + z * z / whole)
    spread = z * math.sqrt(p * (1 - p) / whole + z * z / (4 * whole * whole)) / (1 + z * z / whole)
    low = 0.0 if part == 0 else middle - spread
    high = 1.0 if part == whole else middle + spread
    return [round(x, 6) for x in (p, low, high)]


def days_of(month):
    year, number = map(int, month.split("-"))
    day = datetime.date(year, number, 1)
    while day.month == number:
        yield day.isoformat()
        day += datetime.timedelta(days=1)


class Sets:
    """Sets of one signal and group, by month."""

    def __init__(self):
        self.hosts, self.addresses, self.orgs = {}, {}, {}
        self.daily, self.hourly = {}, {}

    def add(self, record, org):
        day = record["period"]
        month = day[:7]
        host = record["host"].get("mac") or record["host"]["ip"]
        self.hosts.setdefault(month, set()).add(host)
        self.addresses.setdefault(month, set()).add(record["host"]["ip"])
        self.orgs.setdefault(month, set()).update([org] if org else [])
        self.daily.setdefault(day, set()).add(host)
        slots = int(record["slots_connected"], 16)
        for hour in range(24):
            if slots >> (92 - 4 * hour) & 15:
                self.hourly.setdefault(f"{day}T{hour:02}", set()).add(host)

    def month(self, month, months):
        at = months.index(month)
        here, last = self.hosts.get(month, set()), self.hosts.get(months[at - 1], set()) if at else set()
        before = set().union(*(self.hosts.get(m, set()) for m in months[:at]))
        daily = [len(self.daily.get(day, ())) for day in days_of(month)]
        return {
            "hosts": len(here),
            "by_address": len(self.addresses.get(month, ())),
            "organisations": len(self.orgs.get(month, ())),
            "new": len(here - before),
            "returning": len((here & before) - last),
            "kept": len(here & last),
            "lost": len(last - here),
            "daily": [statistics.median(daily), min(daily), max(daily)],
            "busiest_hour": max((len(h) for at, h in self.hourly.items() if at.startswith(month)), default=0),
        }

    def compared(self, baseline, current):
        figures = {}
        for word, sets in (("hosts", self.hosts), ("organisations", self.orgs)):
            a, b = sets.get(baseline, set()), sets.get(current, set())
            figures[word] = {
                "baseline": len(a),
                "current": len(b),
                "per_cent": round((len(b) - len(a)) * 100 / len(a), 4) if a else None,
                "still": len(a & b),
                "gone": len(a - b),
                "new": len(b - a),
                "share": wilson(len(a & b), len(a)),
            }
        return figures


def main():
    records_path, groups_path, baseline, current = sys.argv[1:]
    groups = read_groups(groups_path)
    sets, months = {}, set()
    with open(records_path, encoding="utf-8") as lines:
        for line in lines:
            record = json.loads(line)
            months.add(record["period"][:7])
            if record["stage"] not in ("connected", "transferred"):
                continue
            row = group_of(groups, ipaddress.ip_address(record["host"]["ip"]), record["period"])
            for group in ("", "country=" + (row.get("country") or "?")):
                key = (record["indicator"]["category"], group)
                sets.setdefault(key, Sets()).add(record, row.get("org"))
    months = sorted(months)
    out = {}
    for (signal, group), of in sets.items():
        out.setdefault(group, {})[signal] = {
            "months": {month: of.month(month, months) for month in months},
            "compared": of.compared(baseline, current),
        }
    json.dump(out, sys.stdout)


main()
