"""Runs lanemax_bench and turns what Google Benchmark writes into the report's data.

The data (report.json, bench/results/*.json) is one object:

    revision, date, machine {name, cpus, caches}, compiler, flags, peers {name: version}, skipped [text]
    limits {"avx512/1": {"arithmetic": GFLOP/s, "read_l1": GB/s, ...}}
    cases [{name, family, variant, shape, threads, min, median, gflops, gbytes, share, level, ...}]
    sweep {classes, features, shares {variant: [[share for each number of features] for each of classes]}}
    errors [text]

Times are seconds, rates and shares those of the fastest repetition.
"""

import json
import os
import statistics
import subprocess
import tempfile

# A kernel that beats its bound shows that the bound, or the time, is wrong.
MOST_SHARE = 1.02

# (what it is, options). Short and often rather than long: the machines have other tenants.
FEW = ["--benchmark_repetitions=3"]
RUNS = [
    (
        "kernels, passes and peers",
        ["--benchmark_repetitions=5", "--benchmark_enable_random_interleaving=true", "--benchmark_min_time=0.005"],
    ),
    (
        "512 x 1024 x 32000",
        FEW
        + [
            "--large",
            "--threads=2",
            "--benchmark_min_time=0.01",
            "--benchmark_filter=^(pass/.*|train_step/(avx512|avx2_fma|sse2|neon)/)512x1024x32000/",
        ],
    ),
    ("sweep", FEW + ["--sweep", "--threads=1", "--benchmark_min_time=0.004", "--benchmark_filter=^sweep/"]),
]

COUNTERS = ("p50_ns", "p99.9_ns", "workspace_MiB")


def run(binary, options, stream=None):
    """One run of the benchmarks: Google Benchmark's JSON."""
    descriptor, path = tempfile.mkstemp(suffix=".json")
    os.close(descriptor)
    try:
        command = [binary, *options, "--benchmark_out=" + path, "--benchmark_out_format=json"]
        subprocess.run(command, check=True, stdout=stream or subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        with open(path, encoding="utf-8") as file:
            return json.load(file)
    finally:
        os.remove(path)


def seconds(entry):
    """The time of one repetition. The timed loop of a cold prediction empties the caches as well."""
    if entry["name"].startswith("predict_cold/"):
        return entry["p50_ns"] * 1e-9
    return entry["real_time"] * {"ns": 1e-9, "us": 1e-6, "ms": 1e-3, "s": 1.0}[entry["time_unit"]]


def repetitions(output):
    """{name: [repetition]} and the errors."""
    found, errors = {}, []
    for entry in output["benchmarks"]:
        if entry.get("run_type") == "aggregate":
            continue
        if entry.get("error_occurred"):
            errors.append(f"{entry['name']}: {entry.get('error_message', 'failed')}")
        else:
            found.setdefault(entry["name"], []).append(entry)
    return found, errors


def case_of(name, entries):
    family, variant, shape, threads = name.split("/")
    entries = sorted(entries, key=seconds)
    best = entries[0]
    case = {
        "name": name,
        "family": family,
        "variant": variant,
        "shape": shape,
        "threads": int(threads),
        "min": seconds(best),
        "median": statistics.median(seconds(e) for e in entries),
        "repetitions": len(entries),
        "gflops": best["GFLOPs"],
        "gbytes": best["GB/s"],
        "share": best["share_of_bound"],
        "level": best.get("label", ""),
    }
    for counter in COUNTERS:  # percentiles, which have their own idea of what is usual
        if counter in best:
            case[counter] = statistics.median(e[counter] for e in entries)
    return case


def limits_of(context, found):
    """Those of the header, raised to what the limits' own benchmarks reached later."""
    limits = {}
    for key, text in context.items():
        if key.startswith("limits/"):
            limits[key[len("limits/") :]] = {k: float(v) for k, v in (pair.split("=") for pair in text.split())}
    for name, entries in found.items():
        family, variant, what, threads = name.split("/")
        if family == "limits":
            known = limits.setdefault(f"{variant}/{threads}", {})
            rate = max(e.get("GFLOPs", e.get("GB/s")) for e in entries)
            known[what] = max(known.get(what, 0), rate)
    return limits


def sweep_of(cases):
    """The sweep's shares as a grid for each variant, or None."""
    shares = {}
    for case in cases:
        _, features, classes = (int(n) for n in case["shape"].split("x"))
        shares.setdefault(case["variant"], {})[classes, features] = round(case["share"], 4)
    if not shares:
        return None
    keys = {key for grid in shares.values() for key in grid}
    rows, columns = sorted({c for c, _ in keys}), sorted({d for _, d in keys})
    return {
        "classes": rows,
        "features": columns,
        "shares": {v: [[grid.get((c, d)) for d in columns] for c in rows] for v, grid in shares.items()},
    }


def text_size(count):
    return f"{count >> 20} MiB" if count >= 1 << 20 else f"{count >> 10} KiB"


def measure(binary, say):
    """Everything, in a few minutes."""
    data = {"cases": [], "errors": [], "limits": {}}
    for title, options in RUNS:
        say(f"measuring: {title}")
        output = run(binary, options)
        context = output["context"]
        found, errors = repetitions(output)
        data["errors"] += errors
        for key, known in limits_of(context, found).items():
            old = data["limits"].setdefault(key, {})
            for what, rate in known.items():
                old[what] = max(old.get(what, 0), rate)
        data["cases"] += [case_of(n, e) for n, e in found.items() if not n.startswith("limits/")]
        data.setdefault("date", context["date"])
        data.setdefault("compiler", context["compiler"])
        data.setdefault("flags", context["flags"])
        data.setdefault(
            "machine",
            {
                "name": context["cpu"],
                "cpus": context["num_cpus"],
                "caches": [f"L{c['level']} {c['type']} {text_size(c['size'])}" for c in context["caches"]],
            },
        )
        data.setdefault("peers", {k[len("peer ") :]: v for k, v in context.items() if k.startswith("peer ")})
        data.setdefault("skipped", [v for k, v in context.items() if k.startswith("skipped ")])
    data["variants"] = context["variants supported"].split()
    for case in data["cases"]:
        case["share"] = share_of(data, case)
    data["sweep"] = sweep_of([c for c in data["cases"] if c["family"] == "sweep"])
    data["cases"] = sorted((c for c in data["cases"] if c["family"] != "sweep"), key=lambda c: c["name"])
    check_bounds(data)
    return data


def check_bounds(data):
    """Adds an error for each case that beat what its variant can do."""
    for case in data["cases"]:
        peak = peak_of(data, case)
        if peak and case["gflops"] > MOST_SHARE * peak:
            data["errors"].append(f"{case['name']}: {case['gflops']:.1f} GFLOP/s, more than the peak of {peak:.1f}")
        elif case["share"] > MOST_SHARE:
            data["errors"].append(f"{case['name']}: {case['share']:.3f} of the bound")


def limit(data, variant, threads, what):
    return data["limits"].get(f"{variant}/{threads}", {}).get(what, 0)


def peak_of(data, case):
    """P of the variant that bounds a case: its own, or the best one for a peer."""
    variant = case["variant"] if case["variant"] in data["variants"] else data["variants"][0]
    return limit(data, variant, case["threads"], "arithmetic")


def share_of(data, case):
    """Of the bound, by the best limits that any part of the run has seen."""
    variant = case["variant"] if case["variant"] in data["variants"] else data["variants"][0]
    bandwidth = limit(data, variant, case["threads"], "read_" + case["level"])
    shares = [
        rate / most for rate, most in ((case["gflops"], peak_of(data, case)), (case["gbytes"], bandwidth)) if most
    ]
    return max(shares, default=case["share"])


def rounded(value):
    """Four digits are plenty."""
    if isinstance(value, dict):
        return {key: rounded(inner) for key, inner in value.items()}
    return float(f"{value:.4g}") if isinstance(value, float) else value


def compact(data):
    """What bench/results/ keeps."""
    named = ("family", "variant", "shape", "threads")  # parts of the name
    cases = [{k: rounded(v) for k, v in case.items() if k not in named} for case in data["cases"]]
    return {**data, "limits": rounded(data["limits"]), "cases": cases}


def load(path):
    """A report's or a kept file's data."""
    with open(path, encoding="utf-8") as file:
        data = json.load(file)
    for case in data["cases"]:
        family, variant, shape, threads = case["name"].split("/")
        case.update(family=family, variant=variant, shape=shape, threads=int(threads))
    return data


def write_json(path, data):
    """One line for each case, so that differences can be read."""
    with open(path, "w", encoding="utf-8") as file:
        parts = []
        for key, value in data.items():
            if key == "cases":
                lines = ",\n  ".join(json.dumps(case, separators=(",", ":")) for case in value)
                parts.append(f'"cases": [\n  {lines}\n ]')
            else:
                parts.append(json.dumps(key) + ": " + json.dumps(value, separators=(",", ":")))
        file.write("{\n " + ",\n ".join(parts) + "\n}\n")
