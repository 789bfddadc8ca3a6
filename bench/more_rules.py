#!/usr/bin/env python3
"""Multiply the rules of a dictionary by other words, to see what that costs.

    bench/more_rules.py DICT TIMES OUT TICKETS CORPUS...

Writes to OUT the tables of DICT with TIMES times as many rules and word groups:
each as it is, and TIMES - 1 variants of it. A variant has the shape of its rule
(gaps, alternatives, look-arounds, scope, weight), but every Chinese character
and every run of them is exchanged for another one of the same length that
stands in about as many of the texts, drawn from labelled texts of the rule's
own category, so that the words of one variant are about one matter, as those of
a rule are. Characters in [classes] stay. Word groups are multiplied like rules,
and a variant names those of its own number.

    TICKETS   NDJSON tickets: how often a word stands decides which may take its
              place
    CORPUS    labelled texts, tests/corpus/README.md

The same arguments give the same bytes. Its verdicts mean nothing.
"""
import collections
import csv
import json
import math
import os
import random
import re
import shutil
import sys

LENGTH_MAX = 6  # of a run that is exchanged whole; longer ones are divided
FEW = 5  # fewer words of one frequency than these: any near frequency will do

# What a pattern is made of; only the last kind is exchanged.
PART = re.compile(
    r"(?P<class>\[\^?\]?(?:\\.|[^\]])*\])"
    r"|(?P<group>\{[^0-9}][^}]*\})"
    r"|(?P<other>\\x\{[0-9a-fA-F]+\}|\\.|\{[0-9,]*\}|[^一-鿿\\\[{])"
    r"|(?P<run>[一-鿿]+)")


def bucket(count):
    return int(math.log2(count)) + 1 if count > 0 else 0


class Words:
    """Runs of characters by length and by how many texts they stand in."""

    def __init__(self, tickets, labelled):
        self.in_tickets = collections.Counter()
        self.in_labelled = collections.Counter()
        by_category = collections.defaultdict(set)
        for text in tickets:
            self.in_tickets.update(self.runs(text))
        for category, text in labelled:
            runs = self.runs(text)
            self.in_labelled.update(runs)
            by_category[category] |= runs
        self.pools = {}
        for category, runs in by_category.items():
            pools = collections.defaultdict(list)
            for run in sorted(runs):
                pools[self.key(run)].append(run)
            self.pools[category] = pools

    @staticmethod
    def runs(text):
        found = set()
        for part in re.findall("[一-鿿]+", text):
            for length in range(1, LENGTH_MAX + 1):
                for at in range(len(part) - length + 1):
                    found.add(part[at:at + length])
        return found

    def key(self, run):
        return (len(run), bucket(self.in_tickets[run]),
                bucket(self.in_labelled[run]))

    def other(self, run, category, choice):
        length, first, second = self.key(run)
        pools = self.pools.get(category) or self.pools["none"]
        for reach in range(0, 16):
            found = [
                word for a in range(first - reach, first + reach + 1)
                for b in range(second - reach, second + reach + 1)
                for word in pools.get((length, a, b), ()) if word != run
            ]
            if len(found) >= FEW:
                return choice.choice(found)
        return run


def varied(pattern, number, category, words, names, choice):
    """The pattern with other words, naming the groups of that number."""
    out = []
    for part in PART.finditer(pattern):
        text = part.group()
        if part.lastgroup == "group":
            name = text[1:-1]
            out.append("{%s.%d}" % (name, number) if name in names else text)
        elif part.lastgroup == "run":
            for at in range(0, len(text), LENGTH_MAX):
                out.append(words.other(text[at:at + LENGTH_MAX], category,
                                       choice))
        else:
            out.append(text)
    return "".join(out)


def read_table(path):
    with open(path, encoding="utf-8-sig", newline="") as file:
        lines = [line for line in file if not line.startswith("#")]
    return list(csv.DictReader(lines))


def write_table(path, rows):
    with open(path, "w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, rows[0].keys(), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def more_groups(rows, times, words, choice):
    names = {row["name"] for row in rows}
    out = list(rows)
    for number in range(2, times + 1):
        for row in rows:
            out.append(dict(
                row, name="%s.%d" % (row["name"], number),
                words=varied(row["words"], number, "none", words, names,
                             choice)))
    return names, out


def more_rules(rows, times, words, names, texts, choice):
    out = list(rows)
    for number in range(2, times + 1):
        for row in rows:
            category = row["category"]
            variant = dict(row, id="%s.%d" % (row["id"], number))
            for cell in ("pattern", "also", "unless"):
                variant[cell] = varied(row[cell], number, category, words,
                                       names, choice)
            # The reader learns from the sentences how frequent words are.
            mine = texts.get(category) or texts["none"]
            variant["must_match"] = choice.choice(mine)
            variant["must_not_match"] = choice.choice(mine)
            out.append(variant)
    return out


def main():
    if len(sys.argv) < 6:
        sys.exit(__doc__)
    source, times, target, tickets = sys.argv[1:5]
    times = int(times)
    choice = random.Random(times)
    labelled = []
    for path in sys.argv[5:]:
        with open(path, encoding="utf-8") as file:
            for row in csv.DictReader(file, delimiter="\t",
                                      quoting=csv.QUOTE_NONE):
                labelled.append((row["category"], row["text"]))
    with open(tickets, encoding="utf-8") as file:
        generated = [json.loads(line)["text"] for line in file]
    simplify = {
        ord(row["traditional"]): row["simplified"]
        for row in read_table(os.path.join(source, "t2s.csv"))
    }
    labelled = [(category, text.translate(simplify))
                for category, text in labelled]
    words = Words(generated, labelled)
    texts = collections.defaultdict(list)
    for category, text in labelled:
        texts[category].append(text.replace("|", " "))

    shutil.copytree(source, target)
    names, groups = more_groups(read_table(os.path.join(source, "words.csv")),
                                times, words, choice)
    write_table(os.path.join(target, "words.csv"), groups)
    folder = os.path.join(source, "rules")
    for name in sorted(os.listdir(folder)):
        rows = more_rules(read_table(os.path.join(folder, name)), times, words,
                          names, texts, choice)
        write_table(os.path.join(target, "rules", name), rows)


if __name__ == "__main__":
    main()
