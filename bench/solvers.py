#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Time to the optimum: every solver of the command beside scikit-learn's, on the same data.

    bench/solvers.py LANEMAX DATA_DIR [--sets NAME,...] [--seconds S] [--json FILE]

A solver is run with one tolerance after the other, from loose to tight, until its objective is within a relative gap of
the optimum; the time of that fit is reported (the fit alone, from data in memory to final weights). Solvers by
mini-batches are run with more and more epochs instead. The optimum is the least objective that anything has reached,
checked against the dual bound of the fit that reached it. scikit-learn is optional; its fits run in a process of their
own, which is ended when it takes longer than the limit.

Data: the CSV files and the IDX files of MNIST as tests/support/data_files.hpp expects them; Fashion-MNIST where Debian
puts it. Penalty 1/N on the mean loss, C = 1 for scikit-learn.
"""
import argparse
import gzip
import json
import multiprocessing
import os
import subprocess
import sys
import tempfile
import time

CSV_SETS = ["iris", "glass", "segment", "waveform", "mfeat-pixel", "pendigits", "letter"]
FASHION = "/usr/share/datasets/fashion-mnist"
OURS = ["lbfgs", "sgd", "momentum", "adam"]
THEIRS = ["lbfgs", "newton-cg", "sag", "saga"]
GAP = 1e-6


def arguments_of(name, data):
    """The command's options for a set: 'iris' raw, 'iris std' standardised, 'mnist', 'fashion' scaled to [0, 1]."""
    base, _, scaled = name.partition(" ")
    if base in ("mnist", "fashion"):
        stem = FASHION + "/train-" if base == "fashion" else data + "/mnist-train-"
        return ["--data", stem + "images-idx3-ubyte.gz", "--labels", stem + "labels-idx1-ubyte.gz", "--scale", "unit"]
    return ["--data", f"{data}/{base}.csv"] + (["--scale", "standard"] if scaled else [])


def train(command, name, data, solver, options, limit):
    with tempfile.TemporaryDirectory() as directory:
        words = [command, "train", "--model", directory + "/m", "--solver", solver, "--json", "--quiet",
                 "--time-limit", str(limit)] + arguments_of(name, data) + options
        run = subprocess.run(words, capture_output=True, text=True, check=False)
        return json.loads(run.stdout) if run.stdout else None


def our_runs(command, name, data, solver, limit):
    """(seconds, objective, gap bound) of fits that try harder and harder."""
    if solver == "lbfgs":
        tries = [["--tolerance", str(10.0 ** -k)] for k in range(3, 11)]
    else:
        tries = [["--tolerance", "0", "--epochs", str(5 * 4 ** k), "--batch-size", "128"] for k in range(0, 7)]
    spent = 0
    for options in tries:
        result = train(command, name, data, solver, options, limit)
        if result is None or result["objective"] is None:
            return
        spent += result["seconds"]["fit"]
        yield result["seconds"]["fit"], result["objective"], result["gap_bound"]
        if spent > limit:
            return


def load(name, data):
    import numpy
    base, _, scaled = name.partition(" ")
    if base in ("mnist", "fashion"):
        stem = FASHION + "/train-" if base == "fashion" else data + "/mnist-train-"
        def idx(path, skip):
            return numpy.frombuffer(gzip.open(path).read(), numpy.uint8, offset=skip)
        labels = idx(stem + "labels-idx1-ubyte.gz", 8)
        pixels = idx(stem + "images-idx3-ubyte.gz", 16).reshape(len(labels), -1)
        return pixels.astype(numpy.float64) / 255, labels
    rows = [line.rstrip("\n").split(",") for line in open(f"{data}/{base}.csv") if line.strip()][1:]
    x = numpy.array([[float(v) for v in row[:-1]] for row in rows]).astype(numpy.float32).astype(numpy.float64)
    labels = numpy.unique([row[-1].strip() for row in rows], return_inverse=True)[1]
    if scaled:
        deviation = x.std(axis=0)
        deviation[x.min(axis=0) == x.max(axis=0)] = 1
        x = (x - x.mean(axis=0)) / deviation
    return x, labels


def scikit_worker(name, data, solver, pipe):
    import warnings
    import numpy
    from scipy.special import logsumexp
    from sklearn.linear_model import LogisticRegression
    warnings.filterwarnings("ignore")
    x, labels = load(name, data)
    for power in range(1, 13):
        model = LogisticRegression(C=1.0, tol=10.0 ** -power, max_iter=1000000, multi_class="multinomial", solver=solver)
        start = time.perf_counter()
        model.fit(x, labels)
        seconds = time.perf_counter() - start
        z = x @ model.coef_.T + model.intercept_
        loss = numpy.mean(logsumexp(z, axis=1) - z[numpy.arange(len(labels)), labels])
        pipe.send((seconds, float(loss + 0.5 / len(labels) * (model.coef_ ** 2).sum())))
    pipe.close()


def their_runs(name, data, solver, limit, target):
    receiver, sender = multiprocessing.Pipe(False)
    worker = multiprocessing.Process(target=scikit_worker, args=(name, data, solver, sender))
    worker.start()
    sender.close()
    deadline = time.time() + limit
    try:
        while time.time() < deadline:
            if not receiver.poll(max(0.0, deadline - time.time())):
                break
            seconds, objective = receiver.recv()
            yield seconds, objective
            if objective <= target:
                break
    except EOFError:
        pass
    finally:
        worker.terminate()
        worker.join()


def best_of(runs, target):
    """The first run that gets there, else the lowest."""
    lowest = None
    for seconds, objective, *_ in runs:
        if lowest is None or objective < lowest[1]:
            lowest = (seconds, objective)
        if objective <= target:
            return {"seconds": seconds, "objective": objective, "reached": True}
    return None if lowest is None else {"seconds": lowest[0], "objective": lowest[1], "reached": False}


def cell(result, optimum):
    if result is None:
        return ""
    if result["reached"]:
        return f"{result['seconds']:.3g}"
    return f"({(result['objective'] - optimum) / optimum:.0e} in {result['seconds']:.3g})"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("lanemax")
    parser.add_argument("data")
    parser.add_argument("--sets", help="comma between; default: all that are there")
    parser.add_argument("--seconds", type=float, default=60, help="limit per solver and set")
    parser.add_argument("--their-seconds", type=float, default=300)
    parser.add_argument("--their-solvers", default=",".join(THEIRS), help="default: %(default)s")
    parser.add_argument("--json", help="write the numbers there")
    options = parser.parse_args()
    sets = options.sets.split(",") if options.sets else [
        f"{name}{scale}" for name in CSV_SETS for scale in ("", " std")
        if os.path.exists(f"{options.data}/{name}.csv")] + ["mnist", "fashion"]
    try:
        import sklearn
        theirs = [solver for solver in options.their_solvers.split(",") if solver]
        peer = "scikit-learn " + sklearn.__version__
    except ImportError:
        print("scikit-learn: skipped, not installed", file=sys.stderr)
        theirs, peer = [], ""
    rows = []
    for name in sets:
        # The optimum first: as tight as it goes.
        tight = train(options.lanemax, name, options.data, "lbfgs", ["--tolerance", "1e-10"], 300)
        optimum = tight["objective"]
        assert tight["gap_bound"] <= 10 * GAP * optimum, (name, tight)
        target = optimum * (1 + GAP)
        row = {"set": name, "optimum": optimum, "ours": {}, "theirs": {}}
        for solver in OURS:
            row["ours"][solver] = best_of(our_runs(options.lanemax, name, options.data, solver, options.seconds), target)
        for solver in theirs:
            row["theirs"][solver] = best_of(their_runs(name, options.data, solver, options.their_seconds, target), target)
        rows.append(row)
        reached = [r["seconds"] for r in row["theirs"].values() if r and r["reached"]]
        best = f"{min(reached):.3g}" if reached else min(
            (cell(r, optimum) for r in row["theirs"].values() if r), default="")
        cells = [cell(row["ours"][s], optimum) for s in OURS]
        print("| " + " | ".join([name, f"{optimum:.10f}"] + cells + [best]) + " |", flush=True)
    if options.json:
        with open(options.json, "w", encoding="utf-8") as file:
            json.dump({"peer": peer, "gap": GAP, "rows": rows}, file, indent=1)


if __name__ == "__main__":
    main()
