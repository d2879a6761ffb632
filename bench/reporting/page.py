"""The report as one self-contained HTML page: no scripts, nothing fetched."""

import math
import pathlib
import re

from . import charts, targets
from .charts import duration, escape, quantity, times_sign

STATUS = {"pass": "pass", "stretch": "stretch", "short": "short", "missing": "not measured"}
# Families with peers, in the order of their interest: (family, title, the figure compared).
COMPARED = [
    ("pass", "Loss and gradient", "min"),
    ("train_step", "Training step: loss, gradient, update", "min"),
    ("small_batch", "Training step of a few rows", "min"),
    ("predict", "One prediction, caches warm (median)", "p50_ns"),
    ("predict_cold", "One prediction, caches empty (median)", "p50_ns"),
    ("logits", "Product: logits", "min"),
    ("gradient", "Product: gradient", "min"),
    ("softmax_loss", "Losses and residuals of logits", "min"),
    ("exp", "exp", "min"),
    ("log1p", "log1p", "min"),
]
OPEN = ("pass", "train_step", "predict")
# What the bars show: (title, family, shape).
BARS = [
    ("pass 60000×784×10", "pass", "60000x784x10"),
    ("the same, u8", "pass_u8", "60000x784x10"),
    ("pass 65536×54×7", "pass", "65536x54x7"),
    ("pass 4096×768×1000", "pass", "4096x768x1000"),
    ("pass 2048×2048×2048", "pass", "2048x2048x2048"),
    ("step 256×784×10", "train_step", "256x784x10"),
    ("step 1024×768×1000", "train_step", "1024x768x1000"),
    ("epoch 60000×784×10", "epoch", "60000x784x10"),
    ("softmax loss, C = 10", "softmax_loss", "4096x10"),
    ("softmax loss, C = 1000", "softmax_loss", "64x1000"),
    ("exp, in L2", "exp", "65536"),
    ("predict 784×10", "predict", "784x10"),
    ("predict 768×1000", "predict", "768x1000"),
]
# What is followed from one kept result to the next.
FOLLOWED = [
    ("pass", "60000x784x10", 1),
    ("pass", "60000x784x10", 2),
    ("pass_u8", "60000x784x10", 2),
    ("pass", "65536x54x7", 1),
    ("pass", "4096x768x1000", 1),
    ("pass", "4096x768x1000", 2),
    ("pass", "2048x2048x2048", 2),
    ("pass", "512x1024x32000", 2),
    ("train_step", "256x784x10", 1),
    ("epoch", "60000x784x10", 2),
    ("logits", "4096x768x1000", 1),
    ("gradient", "4096x768x1000", 1),
    ("softmax_loss", "4096x10", 1),
    ("softmax_loss", "64x1000", 1),
    ("predict", "784x10", 1),
    ("predict", "768x1000", 1),
]


def words(text):
    return escape(times_sign(text))


def table_of_targets(rows, with_variant):
    lines = [
        "<div class='scroll'><table class='full'><thead><tr><th></th><th>work</th>"
        + ("<th>variant</th>" if with_variant else "")
        + "<th>target</th><th>stretch</th><th>reached</th><th></th></tr></thead><tbody>"
    ]
    for r in rows:
        variant = f"<td>{escape(r.variant)}</td>" if with_variant else ""
        lines.append(
            f"<tr title='{words(r.detail)}'><td class='id'>{r.id}</td><td>{words(r.work)}</td>{variant}"
            f"<td>{words(r.goal)}</td><td>{words(r.stretch)}</td><td>{words(r.reached)}</td>"
            f"<td><span class='status {r.status}'>{STATUS[r.status]}</span></td></tr>"
        )
    return "".join(lines) + "</tbody></table></div>"


def tone(ratio):
    """The background of a ratio: one colour ahead, one behind, stronger with distance, full at a factor of 8."""
    name = "ahead" if ratio >= 1 else "behind"
    strength = min(abs(math.log2(ratio)) / 3, 1) * 55 + (6 if abs(ratio - 1) > 0.02 else 0)
    return f"--tone:var(--{name});--t:{strength:.0f}%"


def peer_title(data, peer):
    """Two versions of a library have the same name and different numbers."""
    return f"{peer.removesuffix('_new')} {short_version(data['peers'].get(peer, ''))}".strip()


def short_version(text):
    found = re.search(r"\d+(\.\d+)+", text)
    return ".".join(found.group(0).split(".")[:3]) if found else text


def table_of_ratios(table, family, key):
    cases = [c for c in table.data["cases"] if c["family"] == family and c["variant"] == table.variants[0]]
    shapes = list(dict.fromkeys(c["shape"] for c in cases))
    counts = sorted({c["threads"] for c in cases})
    peers = {
        n: [p for p in sorted(table.peer_names()) if any(p in table.ratios(family, s, n, key) for s in shapes)]
        for n in counts
    }
    if not any(peers.values()):
        return ""
    shapes = [s for s in shapes if any(table.ratios(family, s, n, key) for n in counts)]
    shapes.sort(key=lambda s: math.prod(int(part) for part in s.split("x")))
    head = "".join(f"<th class='first' colspan='{len(peers[n]) + 1}'>{targets.thread_text(n)}</th>" for n in counts)
    second = "".join(
        "<th class='n first'>lanemax</th>"
        + "".join(f"<th class='n'>{escape(peer_title(table.data, p)).replace(' ', '<br>')}</th>" for p in peers[n])
        for n in counts
    )
    lines = [
        f"<div class='scroll'><table class='ratios'><thead><tr><th></th>{head}</tr>"
        f"<tr><th></th>{second}</tr></thead><tbody>"
    ]
    for shape in shapes:
        cells = []
        for n in counts:
            ours = table.time(family, table.variants[0], shape, n, key)
            scale = 1e-9 if key == "p50_ns" else 1
            cells.append(f"<td class='ours first'>{duration(ours * scale) if ours else ''}</td>")
            found = table.ratios(family, shape, n, key)
            for peer in peers[n]:
                value = found.get(peer)
                cells.append("<td></td>" if value is None else f"<td class='r' style='{tone(value)}'>{value:.2f}</td>")
        lines.append(f"<tr><td>{words(shape)}</td>{''.join(cells)}</tr>")
    return "".join(lines) + "</tbody></table></div>"


def section_of_peers(table):
    parts = [
        "<h2 id='peers'>Against other libraries</h2>",
        f"<p class='note'>Each peer's time over lanemax's ({escape(table.variants[0])}), both the fastest of their "
        "repetitions: 2.00 means that lanemax takes half the time. For each peer the layout of W that suits it better. "
        "The peers do both products and a plain vectorised softmax, on the same data, in the same process, with as "
        "many threads.</p>",
    ]
    for family, title, key in COMPARED:
        found = table_of_ratios(table, family, key)
        if found:
            is_open = " open" if family in OPEN else ""
            parts.append(f"<details{is_open}><summary>{escape(title)}</summary>{found}</details>")
    names = "".join(f"<dt>{escape(k)}</dt><dd>{escape(v)}</dd>" for k, v in table.data["peers"].items())
    skipped = "".join(f"<li>{escape(text)}</li>" for text in table.data["skipped"])
    parts.append(f"<h3>Versions</h3><dl class='facts'>{names}</dl>")
    parts.append(f"<h3>Skipped</h3><ul>{skipped}</ul>" if skipped else "<p class='note'>No peer was skipped.</p>")
    return parts


def section_of_rooflines(data):
    low, high = charts.roofline_range(data)
    counts = sorted({int(key.split("/")[1]) for key in data["limits"]})
    parts = [
        "<h2 id='rooflines'>Rooflines</h2>",
        "<p class='note'>Each mark is one benchmark of that variant; both axes are logarithmic and the same in every "
        "picture. P is the fastest loop in registers, the slopes are reads from each cache and from memory, all "
        "measured "
        "in this run. A kernel belongs under the slope of the cache that holds its data. Point at a mark for its "
        "name.</p>",
        charts.legend(),
    ]
    for variant in data["variants"]:
        figures = "".join(
            f"<figure><figcaption><b>{escape(variant)}</b>, {targets.thread_text(n)}</figcaption>"
            f"{charts.roofline(data, variant, n, low, high)}</figure>"
            for n in counts
        )
        parts.append(f"<div class='pair'>{figures}</div>")
    return parts


def section_of_bars(data):
    counts = sorted({c["threads"] for c in data["cases"]})
    figures = "".join(
        f"<figure><figcaption><b>{targets.thread_text(n)}</b></figcaption>{charts.bars(data, BARS, n)}</figure>"
        for n in counts
    )
    return [
        "<h2 id='throughput'>Throughput of each variant</h2>",
        "<p class='note'>GFLOP/s on the same work. Of softmax and exp they are nominal: what the shortest known "
        "expression "
        "takes.</p>",
        charts.variant_legend(data["variants"]),
        f"<div class='pair'>{figures}</div>",
    ]


def section_of_sweep(data):
    sweep = data.get("sweep")
    if not sweep:
        return []
    cliffs = targets.cliffs(sweep)
    parts = [
        "<h2 id='sweep'>Shapes nobody tuned for</h2>",
        "<p class='note'>Loss and gradient with one thread, in per cent of the bound (4 N D C FLOP or "
        "one reading of X; with few features the softmax, which it does not count, is most of the work). Outlined: "
        "more than a quarter below the mean of both neighbours, down or across. C just above a multiple of 16 works on padding.</p>",
    ]
    for k, variant in enumerate(data["variants"]):
        own = [c for c in cliffs if c.variant == variant]
        points = len({(c.classes, c.features) for c in own})
        parts.append(
            f"<details{' open' if k == 0 else ''}><summary>{escape(variant)}: {points} of "
            f"{len(sweep['classes']) * len(sweep['features'])} outlined</summary>"
            f"<figure class='scroll'>{charts.heat_map(sweep, variant, cliffs)}</figure></details>"
        )
    if cliffs:
        rows = "".join(
            f"<tr><td>{escape(c.variant)}</td><td class='n'>{c.features}</td><td class='n'>{c.classes}</td>"
            f"<td class='n'>{100 * c.share:.0f} %</td>"
            f"<td class='n'>{100 * c.neighbours[0]:.0f}, {100 * c.neighbours[1]:.0f} %</td>"
            f"<td>{c.along}</td><td class='n'>{c.depth:.2f}</td></tr>"
            for c in cliffs
        )
        parts.append(
            "<details><summary>All outlined points</summary><table><thead><tr><th>variant</th>"
            "<th class='n'>features</th>"
            "<th class='n'>classes</th><th class='n'>share</th><th class='n'>neighbours</th><th>along</th>"
            f"<th class='n'>ratio</th></tr></thead><tbody>{rows}</tbody></table></details>"
        )
    return parts


def section_of_history(data, kept):
    """`kept`: the data of bench/results/, oldest first."""
    series = sorted([k for k in kept if k["date"] != data["date"]] + [data], key=lambda k: k["date"])
    parts = ["<h2 id='history'>Over time</h2>"]
    if len(series) < 2:
        return parts + ["<p class='note'>No earlier results are kept in <code>bench/results/</code>.</p>"]
    shown = series[-8:]
    tables = [targets.Table(s) for s in shown]
    machines = list(dict.fromkeys(machine_name(s) for s in shown))
    letters = {name: chr(ord("A") + i) for i, name in enumerate(machines)}
    parts.append(
        "<p class='note'>Share of the bound of the best variant, and the time, from the results kept in "
        "<code>bench/results/</code> and from this report. Machines differ in more than their bounds: compare columns of "
        f"one machine. {escape('; '.join(f'{letter}: {name}' for name, letter in letters.items()))}.</p>"
    )
    head = "".join(f"<th class='n'>{escape(s['date'][:10])}<br>{letters[machine_name(s)]}</th>" for s in shown)
    lines = [f"<div class='scroll'><table><thead><tr><th></th>{head}<th></th></tr></thead><tbody>"]
    for family, shape, threads in FOLLOWED:
        cases = [t.case(family, t.variants[0], shape, threads) for t in tables]
        if not any(cases):
            continue
        cells = "".join(
            (
                f"<td class='n'>{100 * c['share']:.0f} %<br><small>{duration(c['min'])}</small></td>"
                if c
                else "<td></td>"
            )
            for c in cases
        )
        line = charts.history([c["share"] for c in cases if c])
        title = f"{family} {words(shape)}, {targets.thread_text(threads)}"
        lines.append(f"<tr><td class='name'>{title}</td>{cells}<td>{line}</td></tr>")
    return parts + ["".join(lines) + "</tbody></table></div>"]


def machine_name(data):
    """The processor's model and, in brackets, what else is known of it."""
    *details, name = data["machine"]["name"].split(", ")
    return f"{name} ({', '.join(details)})" if details else name


def section_of_cases(data):
    rows = "".join(
        f"<tr><td>{escape(c['name'])}</td><td class='n'>{duration(c['min'])}</td>"
        f"<td class='n'>{duration(c['median'])}</td>"
        f"<td class='n'>{quantity(c['gflops'])}</td><td class='n'>{quantity(c['gbytes'])}</td>"
        f"<td class='n'>{100 * c['share']:.0f} %</td><td>{escape(c['level'])}</td></tr>"
        for c in data["cases"]
    )
    limits = "".join(
        f"<tr><td>{escape(key)}</td>"
        + "".join(
            f"<td class='n'>{quantity(known.get(k, 0))}</td>"
            for k in ("arithmetic", "read_l1", "read_l2", "read_l3", "read_dram")
        )
        + "</tr>"
        for key, known in sorted(data["limits"].items())
    )
    return [
        "<h2 id='limits'>Limits and every case</h2>",
        "<table><thead><tr><th>variant / threads</th><th class='n'>P, GFLOP/s</th>"
        "<th class='n'>L1, GB/s</th><th class='n'>L2</th>"
        f"<th class='n'>L3</th><th class='n'>memory</th></tr></thead><tbody>{limits}</tbody></table>",
        f"<details><summary>All {len(data['cases'])} cases</summary><table><thead><tr>"
        "<th>family / variant / shape / threads</th>"
        "<th class='n'>fastest</th><th class='n'>median</th><th class='n'>GFLOP/s</th><th class='n'>GB/s</th>"
        f"<th class='n'>of the bound</th><th>data in</th></tr></thead><tbody>{rows}</tbody></table></details>",
    ]


def tile(value, text):
    return f"<div class='tile'><b>{value}</b><span>{escape(text)}</span></div>"


def header(data, table, rows):
    reached = sum(r.status in ("pass", "stretch") for r in rows)
    machine = data["machine"]
    facts = [
        ("machine", f"{machine_name(data)}; {machine['cpus']} processors"),
        ("caches", ", ".join(machine["caches"])),
        ("variants", ", ".join(data["variants"])),
        ("compiler", f"{data['compiler']}, {data['flags']}"),
        ("date", data["date"].replace("T", " ")),
        ("revision", data.get("revision") or "unknown"),
    ]
    best = table.variants[0]
    tiles = [tile(f"{reached} of {len(rows)}", "targets reached")]
    for family, shape, threads, text in (
        ("pass", targets.FASHION, 1, "of the bound: loss and gradient, 60000 × 784 × 10, 1 thread"),
        ("pass", targets.WIDE, 2, "of the bound: loss and gradient, 4096 × 768 × 1000, 2 threads"),
    ):
        case = table.case(family, best, shape, threads)
        if case:
            tiles.append(tile(f"{100 * case['share']:.0f} %", text))
    ratios = table.ratios("pass", targets.FASHION, 2) or table.ratios("pass", targets.FASHION, 1)
    if ratios:
        peer = min(ratios, key=ratios.get)
        tiles.append(tile(f"{ratios[peer]:.1f} ×", f"the speed of the fastest peer ({peer}) at 60000 × 784 × 10"))
    median = table.time("predict", best, "784x10", 1, "p50_ns")
    if median:
        tiles.append(tile(f"{median:.0f} ns", "for one prediction, 784 features, 10 classes"))
    links = "".join(
        f"<a href='#{k}'>{t}</a>"
        for k, t in (
            ("targets", "Targets"),
            ("peers", "Other libraries"),
            ("rooflines", "Rooflines"),
            ("throughput", "Variants"),
            ("sweep", "Odd shapes"),
            ("history", "Over time"),
            ("limits", "All figures"),
        )
    )
    return [
        "<h1>lanemax: speed on this machine</h1>",
        f"<nav>{links}</nav>",
        "<dl class='facts'>" + "".join(f"<dt>{k}</dt><dd>{escape(v)}</dd>" for k, v in facts) + "</dl>",
        f"<div class='tiles'>{''.join(tiles)}</div>",
    ]


def page(data, kept):
    table = targets.Table(data)
    rows = targets.best_variant(table)
    body = header(data, table, rows)
    if data["errors"]:
        body.append("<h2>Wrong</h2><ul>" + "".join(f"<li>{escape(e)}</li>" for e in data["errors"]) + "</ul>")
    body += [
        "<h2 id='targets'>Targets</h2>",
        "<p class='note'>The worst figure of each row counts (point at a row for all of them), from the fastest "
        "repetition of each benchmark. What was set as a time on another machine is judged by what it was there in "
        "terms of the bound or of measured passes. T9 and T10, training to the optimum, are not benchmarks of kernels "
        "and are measured elsewhere.</p>",
        table_of_targets(rows, True),
    ]
    others = targets.other_variants(table)
    if others:
        body.append(
            "<details><summary>The same for the other variants, each against its own peak</summary>"
            + table_of_targets(others, True)
            + "</details>"
        )
    body += section_of_peers(table) + section_of_rooflines(data) + section_of_bars(data) + section_of_sweep(data)
    body += section_of_history(data, kept) + section_of_cases(data)
    style = pathlib.Path(__file__).with_name("style.css").read_text(encoding="utf-8")
    return (
        "<!doctype html><html lang='en'><head><meta charset='utf-8'>"
        "<meta name='viewport' content='width=device-width, initial-scale=1'>"
        f"<title>lanemax: speed</title><style>{style}</style></head><body><main>{''.join(body)}</main></body></html>\n"
    )
