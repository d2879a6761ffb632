#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Runs lanemax_bench and writes report.html, report.json and report.csv. bench/README.md says more."""

import argparse
import csv
import os
import pathlib
import re
import subprocess
import sys

from reporting import measure, page, readme

BENCH = pathlib.Path(__file__).resolve().parent


def arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--run", metavar="LANEMAX_BENCH", help="measure with this program; takes some minutes")
    source.add_argument(
        "--from", dest="data", metavar="FILE.json", help="draw an earlier report.json or kept result again"
    )
    source.add_argument(
        "--check-readme", metavar="README.md", help="do its tables show the kept result that they name?"
    )
    parser.add_argument("--output", default=".", metavar="DIR", help="where the report goes (default: here)")
    parser.add_argument("--keep", action="store_true", help="keep the figures in --results, to compare with later")
    parser.add_argument(
        "--results",
        default=BENCH / "results",
        type=pathlib.Path,
        metavar="DIR",
        help="the kept figures (default: bench/results)",
    )
    parser.add_argument(
        "--readme", action="store_true", help="print the tables of the project's README instead of a report"
    )
    return parser.parse_args()


def kept_results(folder):
    """Oldest first."""
    return sorted((measure.load(path) for path in folder.glob("*.json")), key=lambda data: data["date"])


def revision():
    """The commit that was measured, as far as the sources beside this file tell."""
    command = ["git", "-C", str(BENCH), "describe", "--always", "--dirty"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""


def write_csv(path, data):
    columns = [
        "name",
        "family",
        "variant",
        "shape",
        "threads",
        "min",
        "median",
        "repetitions",
        "gflops",
        "gbytes",
        "share",
        "level",
        *measure.COUNTERS,
    ]
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns, extrasaction="ignore")
        writer.writeheader()
        writer.writerows(data["cases"])


def keep(folder, data):
    name = re.sub(r"[^a-z0-9]+", "-", page.machine_name(data).lower()).strip("-")
    folder.mkdir(exist_ok=True)
    path = folder / f"{name}-{data['date'][:10]}.json"
    measure.write_json(path, measure.compact(data))
    return path


def main():
    options = arguments()
    if options.check_readme:
        problem = readme.check(pathlib.Path(options.check_readme), options.results)
        if problem:
            print(problem, file=sys.stderr)
        return 1 if problem else 0
    if options.run:
        data = {"revision": revision(), **measure.measure(options.run, print)}
    else:
        data = measure.load(options.data)
    if options.keep and not data["errors"]:
        print("kept:", keep(options.results, data))
    if options.readme:
        print(readme.tables(data, os.path.basename(options.data or "")))
    else:
        output = pathlib.Path(options.output)
        output.mkdir(parents=True, exist_ok=True)
        measure.write_json(output / "report.json", data)
        write_csv(output / "report.csv", data)
        (output / "report.html").write_text(page.page(data, kept_results(options.results)), encoding="utf-8")
        print("written:", output / "report.html")
    for error in data["errors"]:
        print("wrong:", error, file=sys.stderr)
    return 1 if data["errors"] else 0


if __name__ == "__main__":
    sys.exit(main())
