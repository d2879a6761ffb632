"""The tables of README's performance section: made from a report's data, checked against the kept result they name."""

import re

from . import charts, measure, page, targets

BEGIN = "<!-- from bench/results/{} by bench/report.py --readme -->"
END = "<!-- end -->"
SHAPES = ("60000x784x10", "65536x54x7", "4096x768x1000", "2048x2048x2048")
THREADS = (1, 2)


def milliseconds(seconds):
    """Three digits."""
    value = seconds * 1e3
    return f"{value:.0f}" if value >= 100 else f"{value:#.3g}"


def both(time_of):
    found = [time_of(n) for n in THREADS]
    return " \\| ".join("–" if t is None else milliseconds(t) for t in found)


def against_peers(table, family, shapes, head):
    peers = [p for p in sorted(table.peer_names()) if table.peer_time(family, p, shapes[0], 1) is not None]
    lines = [
        f"| {head} | lanemax | bound | " + " | ".join(page.peer_title(table.data, p) for p in peers) + " |",
        "|---" * (len(peers) + 3) + "|",
    ]
    for shape in shapes:

        def ours(n, shape=shape):
            return table.time(family, table.variants[0], shape, n)

        def bound(n, shape=shape):
            case = table.case(family, table.variants[0], shape, n)
            return case and case["min"] * case["share"]

        cells = [charts.times_sign(shape), both(ours), both(bound)]
        cells += [both(lambda n, p=p, s=shape: table.peer_time(family, p, s, n)) for p in peers]
        lines.append("| " + " | ".join(cells) + " |")
    return lines


def by_variant(table):
    lines = [
        "| loss and gradient, GFLOP/s (share of the bound) | " + " | ".join(table.variants) + " |",
        "|---" * (len(table.variants) + 1) + "|",
    ]
    for shape in SHAPES:
        cells = [charts.times_sign(shape)]
        for variant in table.variants:
            found = [table.case("pass", variant, shape, n) for n in THREADS]
            cells.append(
                " \\| ".join("–" if c is None else f"{c['gflops']:.0f} ({100 * c['share']:.0f} %)" for c in found)
            )
        lines.append("| " + " | ".join(cells) + " |")
    return lines


def tables(data, name):
    """Markdown between two markers; `name` is the kept result's file."""
    table = targets.Table(data)
    best = table.variants[0]
    peak = [measure.limit(data, best, n, "arithmetic") for n in THREADS]
    memory = [measure.limit(data, best, n, "read_dram") for n in THREADS]
    lines = [
        BEGIN.format(name),
        "",
        f"{page.machine_name(data)}, {data['machine']['cpus']} processors, {data['date'][:10]}, "
        f"{data['compiler']}, f32: "
        f"{peak[0]:.0f} and {peak[1]:.0f} GFLOP/s, {memory[0]:.0f} and {memory[1]:.0f} GB/s from memory with "
        "one and two threads. "
        "Everything in one run on the same data, the fastest of the repetitions, one thread \\| two; for each peer "
        "the better "
        "layout of W.",
        "",
    ]
    lines += against_peers(table, "pass", SHAPES, "loss and gradient, ms") + [""]
    lines += against_peers(table, "train_step", ("256x784x10", "1024x768x1000"), "training step, ms") + [""]
    lines += by_variant(table) + [""]
    return "\n".join(lines + [END])


def check(path, results):
    """What is wrong with the tables in this README; empty if nothing is."""
    text = path.read_text(encoding="utf-8")
    found = re.search(re.escape(BEGIN).replace(r"\{\}", r"(\S+)") + ".*?" + re.escape(END), text, re.DOTALL)
    if not found:
        return f"{path}: no tables between '{BEGIN.format('<file>')}' and '{END}'"
    kept = results / found.group(1)
    if not kept.exists():
        return f"{path}: there is no {kept}"
    if found.group(0) != tables(measure.load(kept), kept.name):
        return f"{path}: the tables are not those of {kept}; report.py --from {kept} --readme prints them"
    return ""
