"""Compare the tickets of two stores, what was sent of them.

check_again.py BEFORE.ndjson AFTER.ndjson
"""
import json
import sys

FIELDS = ("type", "channel", "accepted_at", "unit", "caller", "customer",
          "name", "address", "text")
NUMBERS = ("caller", "customer")


def read(path):
    with open(path, encoding="utf-8") as file:
        return {row["id"]: row for row in map(json.loads, file)}


def main():
    before, after = read(sys.argv[1]), read(sys.argv[2])
    if before.keys() != after.keys():
        print("%d tickets instead of %d" % (len(after), len(before)))
        return 1
    for number, row in before.items():
        for field in FIELDS:
            value = row[field]
            if field in NUMBERS and value is not None:
                value = value.removeprefix("'")  # '123 is 123 in a table
            if value != after[number][field]:
                print("%s, %s: %r instead of %r" % (
                    number, field, after[number][field], row[field]))
                return 1
    return 0


sys.exit(main())
