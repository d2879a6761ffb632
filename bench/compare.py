#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Compares two builds of lanemax_bench: did a change make something slower?

Both are run in turn, the first one changing, because machines drift. For each case the interval that holds the median
of its runs' times with at least 95 % confidence (order statistics: of seven runs that is all of them, so one disturbed
run hides a difference; nine forgive one at each end). A case is called slower or faster only if the intervals do not
overlap. What this cannot see: differences smaller than the machine's noise; and where code and data happen to lie in
memory, which is the same in every run of a build and can make some per cent without any reason in the source. Of a
thousand cases some will be flagged by chance: run those again.

Other options go to both programs, as in: compare.py OLD NEW --sweep --filter '^sweep/avx512/'

Exit code: 0 nothing is slower, 1 something is, 2 wrong usage or a failed run.
"""

import argparse
import math
import statistics
import subprocess
import sys

from reporting import measure

CONFIDENCE = 0.95
FEWEST_RUNS = 7


def interval(times):
    """(low, high) around the median, from order statistics."""
    ordered = sorted(times)
    n = len(ordered)
    cut = 0  # so many may be left out at each end
    while 1 - 2 * sum(math.comb(n, k) for k in range(cut + 2)) / 2**n >= CONFIDENCE and cut + 1 < n / 2:
        cut += 1
    return ordered[cut], ordered[n - 1 - cut]


def compare(old, new):
    """'slower', 'faster' or '' for two lists of times."""
    (old_low, old_high), (new_low, new_high) = interval(old), interval(new)
    if new_low > old_high:
        return "slower"
    return "faster" if new_high < old_low else ""


def collect(binaries, runs, options):
    """[{name: [seconds of each run]} for each binary]"""
    times = [{} for _ in binaries]
    for i in range(runs):
        for which in ((0, 1) if i % 2 == 0 else (1, 0)):
            print(f"run {i + 1} of {runs}: {binaries[which]}", file=sys.stderr)
            found, errors = measure.repetitions(measure.run(binaries[which], options))
            for error in errors:
                print("not compared:", error, file=sys.stderr)
            for name, entries in found.items():
                if not name.startswith("limits/"):
                    times[which].setdefault(name, []).append(min(measure.seconds(e) for e in entries))
    return times


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("old", metavar="OLD_LANEMAX_BENCH")
    parser.add_argument("new", metavar="NEW_LANEMAX_BENCH")
    parser.add_argument(
        "--filter",
        default="^(pass|train_step|epoch|logits|gradient|softmax_loss|predict|exp|log1p)[a-z0-9_]*/"
        "(avx512|avx2_fma|sse2|neon)/",
        help="cases to compare (default: all but peers)",
    )
    parser.add_argument(
        "--runs", type=int, default=FEWEST_RUNS, help=f"of each build, at least {FEWEST_RUNS} (the default)"
    )
    parser.add_argument("--min-time", type=float, default=0.02, help="seconds for each case and run (default 0.02)")
    parser.add_argument("--all", action="store_true", help="print the cases that did not change, too")
    options, others = parser.parse_known_args()
    if options.runs < FEWEST_RUNS:
        parser.error(f"--runs: at least {FEWEST_RUNS}; with fewer no interval means anything")
    flags = [f"--benchmark_filter={options.filter}", f"--benchmark_min_time={options.min_time}", *others]
    try:
        old, new = collect((options.old, options.new), options.runs, flags)
    except (OSError, subprocess.CalledProcessError) as error:
        print("compare.py:", error, file=sys.stderr)
        return 2
    names = [name for name in old if len(old[name]) == len(new.get(name, [])) == options.runs]
    rows = [(compare(old[n], new[n]), statistics.median(new[n]) / statistics.median(old[n]), n) for n in names]
    for verdict, ratio, name in sorted(rows, key=lambda r: -r[1]):
        if verdict or options.all:
            (a, b), (c, d) = interval(old[name]), interval(new[name])
            print(
                f"{verdict or 'same':7s} {ratio:6.3f}  {name:45s} "
                f"{a * 1e6:11.2f}..{b * 1e6:.2f} µs  ->  {c * 1e6:.2f}..{d * 1e6:.2f} µs"
            )
    slower, faster = (sum(r[0] == verdict for r in rows) for verdict in ("slower", "faster"))
    left = len(set(old) | set(new)) - len(names)
    print(
        f"{len(rows)} cases compared: {slower} slower, {faster} faster" + (f"; {left} not in every run" if left else "")
    )
    if not rows:
        return 2
    return 1 if slower else 0


if __name__ == "__main__":
    sys.exit(main())
