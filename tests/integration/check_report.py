"""Compare a report's workbook and page with its JSON.

check_report.py REPORT.json REPORT.xlsx REPORT.html
"""
import json
import re
import sys
import xml.etree.ElementTree as xml
import zipfile

CHART = "{http://schemas.openxmlformats.org/drawingml/2006/chart}"
CATEGORIES = ("service", "business", "outage", "quality", "grid")


def series(part):
    """The cached values of each series of a chart."""
    return [[float(point.find(CHART + "v").text)
             for point in one.find(CHART + "val").iter(CHART + "pt")]
            for one in xml.fromstring(part).iter(CHART + "ser")]


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        complaints = json.load(file)["complaints"]
    archive = zipfile.ZipFile(sys.argv[2])
    assert archive.testzip() is None
    pie, columns, trend = (
        archive.read("xl/charts/chart%d.xml" % i) for i in (1, 2, 3))
    assert b"pieChart" in pie and b"barChart" in columns
    assert b"lineChart" in trend
    counts = [complaints["by_category"][c]["count"] for c in CATEGORIES]
    regions = complaints["by_category_region"]
    assert series(pie) == [counts], series(pie)
    assert series(columns) == [[regions[c]["urban"] for c in CATEGORIES],
                               [regions[c]["rural"] for c in CATEGORIES]]
    assert sum(series(trend)[1]) == complaints["total"], series(trend)
    with open(sys.argv[3], encoding="utf-8") as file:
        page = file.read()
    xml.fromstring(re.search(r"<svg.*?</svg>", page, re.S).group())
    assert page.count("<svg") == 3
    assert not re.search(r"<script|src=|href=|url\(|@import|https?:", page)
    for category in CATEGORIES:
        share = complaints["by_category"][category]["share_percent"]
        assert "%.2f %%" % share in page, share
    return 0


sys.exit(main())
