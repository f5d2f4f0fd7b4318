"""Compares what trend and compare count of a population with its truth.

usage: check.py TRUTH TREND APRIL_NOVEMBER BEFORE_AFTER

The last three are JSON reports: a trend by months, a comparison of April with
November, both by country, and one of the time before the ban with the time after
it by country and by country and sector. Prints each figure that was compared and
fails if any differs.
"""

import json
import sys


def main():
    truth, trend, change, cohort = (json.load(open(path)) for path in sys.argv[1:5])
    wrong = 0
    compared = 0

    def same(what, found, wanted):
        nonlocal wrong, compared
        compared += 1
        if found != wanted:
            wrong += 1
            print(f"{what}: {found}, and it is {wanted}")

    def group(report, columns, values):
        for by in report["by"]:
            if by["columns"] == columns:
                for one in by["groups"]:
                    if [one["group"][c] for c in columns] == values:
                        return one
        raise SystemExit(f"no group {values}")

    def month(what, point, wanted):
        same(f"{what}, hosts", point["update"]["hosts"]["hosts"], wanted["addresses"])
        same(f"{what}, addresses", point["update"]["hosts"]["by_address"], wanted["addresses"])
        same(f"{what}, organisations", point["update"]["organisations"]["seen"], wanted["organisations"])

    for period, point in zip(trend["periods"], trend["whole"], strict=True):
        label = period["label"]
        month(label, point, truth["months"][label])
        same(f"{label}, reputation", point["reputation"]["hosts"]["hosts"], truth["reputation"][label])
    same("months", len(trend["whole"]), len(truth["months"]))
    for country, wanted in truth["countries"].items():
        for period, point in zip(trend["periods"], group(trend, ["country"], [country])["points"], strict=True):
            month(f"{country} {period['label']}", point, wanted["months"][period["label"]])

    def moved(what, found, wanted):
        hosts, orgs = wanted["addresses"], wanted["organisations"]
        update = found["update"]
        same(f"{what}, baseline", update["cohort"]["of"], hosts["baseline"])
        for word in ("still", "gone", "new"):
            same(f"{what}, {word}", update["cohort"][word], hosts[word])
        same(f"{what}, current", found["current"]["update"]["hosts"]["hosts"], hosts["current"])
        same(f"{what}, change", round(update["hosts"]["per_cent"], 3), round(hosts["change_per_cent"], 3))
        same(f"{what}, organisations", update["organisation_cohort"]["of"], orgs["baseline"])
        same(f"{what}, organisations still", update["organisation_cohort"]["still"], orgs["still"])
        same(f"{what}, organisations now", found["current"]["update"]["organisations"]["seen"], orgs["current"])

    moved("April to November", change["whole"], truth["change"])
    for country, wanted in truth["countries"].items():
        moved(f"{country}, April to November", group(change, ["country"], [country]), wanted["change"])
    wanted = truth["cohort"]
    found = group(cohort, ["country"], [wanted["country"]])["update"]["organisation_cohort"]
    same("seen before the ban", found["of"], wanted["seen_before"])
    same("still seen", found["still"], wanted["still_seen"])
    same("share", round(100 * found["share"]["share"], 2), round(wanted["share_per_cent"], 2))
    found = group(cohort, ["country", "sector"], [wanted["country"], "government"])["update"]["organisation_cohort"]
    same("government bodies before", found["of"], wanted["government_seen_before"])
    same("government bodies still seen", found["still"], wanted["government_still_seen"])

    us = truth["countries"]["US"]["change"]["addresses"]
    print(f"{compared} figures compared, {wrong} wrong")
    whole = truth["change"]
    print(
        f"organisations {whole['organisations']['baseline']:,} to {whole['organisations']['current']:,}, "
        f"addresses {whole['addresses']['baseline']:,} to {whole['addresses']['current']:,}, "
        f"US {us['change_per_cent']:.0f} %, {wanted['share_per_cent']:.0f} % still seen, "
        f"{wanted['government_still_seen']} government bodies"
    )
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
