"""Compare a workbook with the NDJSON of the same list, cell by cell.

check_workbook.py LIST.ndjson LIST.xlsx WORDS.csv

Reads the workbook with nothing of ours: zipfile and the XML parser of Python's
library. WORDS.csv (column,wire,chinese) says how words of the records are shown.
Prints the first difference and ends with 1.
"""
import csv
import datetime
import json
import re
import sys
import xml.etree.ElementTree as xml
import zipfile

MAIN = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
EPOCH = datetime.datetime(1899, 12, 30)
SHANGHAI = datetime.timezone(datetime.timedelta(hours=8))


def column_of(reference):
    number = 0
    for letter in re.match("[A-Z]+", reference).group():
        number = number * 26 + ord(letter) - 64
    return number - 1


def unescape(text):
    return re.sub("_x([0-9A-Fa-f]{4})_",
                  lambda m: chr(int(m.group(1), 16)), text)


def read_rows(archive, sheet):
    with archive.open("xl/worksheets/sheet%d.xml" % sheet) as part:
        for _, row in xml.iterparse(part):
            if row.tag != MAIN + "row":
                continue
            cells = {}
            for cell in row.iter(MAIN + "c"):
                assert cell.find(MAIN + "f") is None, "a formula"
                place = column_of(cell.get("r"))
                if cell.get("t") == "inlineStr":
                    cells[place] = unescape(cell.find(MAIN + "is").find(
                        MAIN + "t").text or "")
                else:
                    cells[place] = float(cell.find(MAIN + "v").text)
            yield cells
            row.clear()


def shown(name, value, words):
    """The value as the workbook should hold it; None for an empty cell."""
    if value is None or value == "" or value == []:
        return None
    if isinstance(value, bool):
        return "是" if value else "否"
    if isinstance(value, (int, float)):
        return float(value)
    if isinstance(value, list):
        value = " ".join(words.get((name, word), word) for word in value)
    else:
        value = words.get((name, value), value)
    value = value.replace("\ufffe", "\ufffd")  # XML cannot hold it
    return "'" + value if value.startswith(STARTS) else value


def same(got, wanted):
    if isinstance(got, float) and isinstance(wanted, str):
        try:
            at = datetime.datetime.fromisoformat(wanted)
        except ValueError:
            return False
        seen = (EPOCH + datetime.timedelta(days=got)).replace(tzinfo=SHANGHAI)
        return abs((seen - at).total_seconds()) < 0.002
    return got == wanted


def main():
    list_path, workbook_path, words_path = sys.argv[1:]
    with open(words_path, encoding="utf-8") as file:
        words = {(row[0], row[1]): row[2] for row in csv.reader(file)}
    with open(list_path, encoding="utf-8") as file:
        wanted = [json.loads(line) for line in file]
    archive = zipfile.ZipFile(workbook_path)
    assert archive.testzip() is None
    rows = read_rows(archive, 1)
    heads = next(rows)
    count = 0
    for count, cells in enumerate(rows, 1):
        record = wanted[count - 1]
        assert len(heads) == len(record), "columns"
        for place, (name, value) in enumerate(record.items()):
            got = cells.get(place)
            want = shown(name, value, words)
            if not same(got, want):
                print("row %d, %s: %r instead of %r" %
                      (count + 1, name, got, want))
                return 1
    if count != len(wanted):
        print("%d rows instead of %d" % (count, len(wanted)))
        return 1
    notes = {cells[0]: cells.get(1) for cells in read_rows(archive, 2)}
    if notes.get("行数") != str(count):
        print("the notes say %r rows" % notes.get("行数"))
        return 1
    print("%d rows, %d columns are the same" % (count, len(heads)))
    return 0


sys.exit(main())
