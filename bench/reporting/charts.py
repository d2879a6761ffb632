"""The report's pictures, as SVG text. Colours are CSS variables of the page, so that both of its modes fit."""

import html
import math
import re

from . import measure

# Kernels that do the same kind of work share a mark: (legend, colour, shape, families).
GROUPS = [
    (
        "loss and gradient",
        "c1",
        "circle",
        ("pass", "pass_u8", "pass_f16", "pass_bf16", "pass_f64", "pass_scaled", "pass_shuffled"),
    ),
    ("products: logits, gradient", "c2", "square", ("logits", "gradient")),
    ("training step, epoch", "c3", "diamond", ("train_step", "small_batch", "epoch")),
    ("softmax loss, exp, log1p", "c4", "up", ("softmax_loss", "exp", "log1p")),
    ("prediction", "c5", "down", ("predict", "predict_cold")),
]
# The marks that have their names beside them; the others show theirs when pointed at.
LABELLED = [
    # with the place of the label: FLOP for each byte, and part of P
    ("pass", "60000x784x10", 60, 0.40),
    ("pass", "65536x54x7", 60, 0.25),
    ("pass", "4096x768x1000", 1500, 0.40),
]
LEVELS = [("l1", "L1"), ("l2", "L2"), ("l3", "L3"), ("dram", "memory")]
DASHES = {"l1": "", "l2": "7 3", "l3": "2 3", "dram": "9 3 2 3"}


def escape(text):
    return html.escape(str(text), quote=True)


def quantity(value):
    """Three digits, whatever the size."""
    if value >= 100:
        return f"{value:.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def duration(seconds):
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)):
        if seconds >= size:
            return f"{quantity(seconds / size)} {unit}"
    return f"{quantity(seconds * 1e9)} ns"


def mark(shape, x, y, r, css):
    if shape == "circle":
        return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{r}" class="{css}"/>'
    corners = {
        "square": ((-0.9, -0.9), (0.9, -0.9), (0.9, 0.9), (-0.9, 0.9)),
        "diamond": ((0, -1.25), (1.25, 0), (0, 1.25), (-1.25, 0)),
        "up": ((0, -1.15), (1.1, 0.85), (-1.1, 0.85)),
        "down": ((0, 1.15), (1.1, -0.85), (-1.1, -0.85)),
    }[shape]
    points = " ".join(f"{x + r * dx:.1f},{y + r * dy:.1f}" for dx, dy in corners)
    return f'<polygon points="{points}" class="{css}"/>'


def svg(width, height, title, parts, css=""):
    return (
        f'<svg viewBox="0 0 {width} {height}" role="img" aria-label="{escape(title)}" class="{css}" '
        f'style="max-width:{width}px"><title>{escape(title)}</title>{"".join(parts)}</svg>'
    )


def group_of(family):
    return next((g for g in GROUPS if family in g[3]), None)


def legend():
    items = []
    for title, css, shape, _ in GROUPS:
        items.append(
            f'<span><svg width="14" height="14" aria-hidden="true">{mark(shape, 7, 7, 4.2, "mark " + css)}</svg>'
            f"{escape(title)}</span>"
        )
    return f'<p class="legend">{"".join(items)}</p>'


class Logarithmic:
    def __init__(self, low, high, start, end):
        self.low, self.scale = math.log10(low), (end - start) / (math.log10(high) - math.log10(low))
        self.start = start

    def __call__(self, value):
        return self.start + (math.log10(value) - self.low) * self.scale


def intensity(case):
    return case["gflops"] / case["gbytes"] if case["gbytes"] else None


def one_two_five(low, high):
    return [v * m for v in decades(low / 10, high) for m in (1, 2, 5) if low <= v * m <= high]


def decades(low, high):
    first, last = math.ceil(math.log10(low) - 1e-9), math.floor(math.log10(high) + 1e-9)
    return [10.0**n for n in range(first, last + 1)]


def times_sign(text):
    """2048x2048 and 1.3 x bound as print has them."""
    return re.sub(r"(?<=\d)x(?=\d)| x(?= )|(?<=\d) x$", lambda found: " ×" if found.group(0) != "x" else " × ", text)


def plain_number(value):
    return f"{value:,.0f}".replace(",", " ") if value >= 1 else f"{value:g}"


def roofline(data, variant, threads, low, high):
    """Every kernel of a variant under its roofs. `low`, `high`: the vertical axis, the same for all pictures."""
    width, height, left, right, top, bottom = 560, 400, 52, 14, 14, 44
    cases = [c for c in data["cases"] if c["variant"] == variant and c["threads"] == threads and intensity(c)]
    x0, x1 = intensity_range(data)
    x = Logarithmic(x0, x1, left, width - right)
    y = Logarithmic(low, high, height - bottom, top)
    parts = []
    for value in one_two_five(low, high):
        parts.append(
            f'<line x1="{left}" x2="{width - right}" y1="{y(value):.1f}" y2="{y(value):.1f}" class="grid"/>'
            f'<text x="{left - 7}" y="{y(value) + 4:.1f}" class="tick end">{plain_number(value)}</text>'
        )
    for value in decades(x0, x1):
        parts.append(
            f'<line x1="{x(value):.1f}" x2="{x(value):.1f}" y1="{top}" y2="{height - bottom}" class="grid"/>'
            f'<text x="{x(value):.1f}" y="{height - bottom + 16}" class="tick mid">{plain_number(value)}</text>'
        )
    parts.append(
        f'<text x="{(left + width - right) / 2}" y="{height - 8}" class="axis mid">'
        "FLOP for each byte that has to be read</text>"
        f'<text transform="translate(13 {(top + height - bottom) / 2}) rotate(-90)" class="axis mid">GFLOP/s</text>'
    )
    peak = measure.limit(data, variant, threads, "arithmetic")
    keys = [("", f"P {quantity(peak)} GFLOP/s")]
    ridge = None
    for level, name in LEVELS:
        bandwidth = measure.limit(data, variant, threads, "read_" + level)
        if not bandwidth or not peak:
            continue
        corner = peak / bandwidth
        ridge = corner if ridge is None else min(ridge, corner)
        start = max(x0, low / bandwidth)
        if start < corner:
            parts.append(
                f'<line x1="{x(start):.1f}" y1="{y(bandwidth * start):.1f}" x2="{x(corner):.1f}" y2="{y(peak):.1f}" '
                f'class="roof" stroke-dasharray="{DASHES[level]}"/>'
            )
        keys.append((DASHES[level], f"{name} {quantity(bandwidth)} GB/s"))
    if peak:
        parts.append(
            f'<line x1="{x(ridge or x0):.1f}" x2="{width - right}" y1="{y(peak):.1f}" y2="{y(peak):.1f}" '
            'class="roof peak"/>'
        )
    # Down there nothing else is to be expected: much arithmetic and little speed.
    for i, (dash, text) in enumerate(keys):
        kx, ky = width - right - 165, height - bottom - 12 - 17 * (len(keys) - 1 - i)
        css = "roof peak" if i == 0 else "roof"
        parts.append(
            f'<line x1="{kx}" x2="{kx + 32}" y1="{ky - 4}" y2="{ky - 4}" class="{css}" stroke-dasharray="{dash}"/>'
            f'<text x="{kx + 40}" y="{ky}" class="label">{escape(text)}</text>'
        )
    for family, shape, label_intensity, label_share in LABELLED:
        case = next((c for c in cases if (c["family"], c["shape"]) == (family, shape)), None)
        if case:
            lx, ly = x(label_intensity), y(label_share * peak)
            parts.append(
                f'<path d="M{x(intensity(case)):.1f} {y(case["gflops"]):.1f}L{lx:.1f} {ly:.1f}h6" class="leader"/>'
                f'<text x="{lx + 9:.1f}" y="{ly + 3.5:.1f}" class="tiny">{times_sign(f"{family} {shape}")}</text>'
            )
    for case in sorted(cases, key=lambda c: -c["share"]):
        group = group_of(case["family"])
        if group is None or case["gflops"] < low:
            continue
        tip = (
            f"{case['name']}\n{quantity(case['gflops'])} GFLOP/s, {100 * case['share']:.0f} % of the bound, "
            f"{duration(case['min'])}"
        )
        parts.append(
            f"<g><title>{escape(tip)}</title>"
            f'{mark(group[2], x(intensity(case)), y(case["gflops"]), 4.2, "mark " + group[1])}</g>'
        )
    return svg(width, height, f"Roofline of {variant}, threads: {threads}", parts)


def intensity_range(data):
    """The horizontal axis that holds every kernel."""
    found = [intensity(c) for c in data["cases"] if c["variant"] in data["variants"] and intensity(c)]
    return min(found, default=0.5) / 1.8, max(found, default=1000.0) * 1.8


def roofline_range(data):
    """The vertical axis that holds every variant's kernels and roofs."""
    rates = [c["gflops"] for c in data["cases"] if c["variant"] in data["variants"] and c["gflops"] > 0]
    peaks = [known.get("arithmetic", 0) for known in data["limits"].values()]
    top = max(rates + peaks) * 1.6
    return max(min(rates) / 1.5, top / 3000), top


def bars(data, rows, threads):
    """A row of bars for each (title, family, shape): one bar for each variant, a tick where its bound is."""
    thickness, gap, left, right, width = 11, 12, 172, 44, 560
    variants = data["variants"]
    cases = {c["name"]: c for c in data["cases"]}
    shown = [(title, [cases.get(f"{family}/{v}/{shape}/{threads}") for v in variants]) for title, family, shape in rows]
    shown = [(title, found) for title, found in shown if any(found)]
    top_rate = max((c["gflops"] / c["share"] for _, found in shown for c in found if c), default=1)
    span = width - left - right
    step = len(variants) * thickness + gap
    height = len(shown) * step + 30
    parts = []
    size = nice_step(top_rate)
    value = 0.0
    while value <= top_rate:
        at = left + span * value / top_rate
        parts.append(
            f'<line x1="{at:.1f}" x2="{at:.1f}" y1="4" y2="{height - 24}" class="grid"/>'
            f'<text x="{at:.1f}" y="{height - 10}" class="tick mid">{plain_number(value) if value else "0"}</text>'
        )
        value += size
    parts.append(f'<text x="{width}" y="{height - 10}" class="axis end">GFLOP/s</text>')
    for i, (title, found) in enumerate(shown):
        y0 = 6 + i * step
        parts.append(
            f'<text x="{left - 10}" y="{y0 + len(variants) * thickness / 2 + 4}" class="label end">'
            f"{escape(title)}</text>"
        )
        for k, case in enumerate(found):
            if case is None:
                continue
            y = y0 + k * thickness
            length, bound = (span * v / top_rate for v in (case["gflops"], case["gflops"] / case["share"]))
            inside = length + 30 < bound  # room for the figure before the bound
            tip = f"{case['name']}: {quantity(case['gflops'])} GFLOP/s, {100 * case['share']:.0f} % of the bound"
            parts.append(
                f'<g><title>{escape(tip)}</title><rect x="{left}" y="{y}" width="{length:.1f}" '
                f'height="{thickness - 2}" rx="1.5" class="bar v{k + 1}"/>'
                f'<line x1="{left + bound:.1f}" x2="{left + bound:.1f}" y1="{y - 1}" y2="{y + thickness - 1}" '
                'class="bound"/>'
                f'<text x="{left + (length if inside else max(length, bound)) + 5:.1f}" y="{y + 8.2}" class="tiny">'
                f"{quantity(case['gflops'])}</text></g>"
            )
    return svg(width, height, f"Throughput of each variant, threads: {threads}", parts)


def variant_legend(variants):
    items = "".join(f'<span><i class="swatch v{k + 1}"></i>{escape(v)}</span>' for k, v in enumerate(variants))
    return f'<p class="legend">{items}<span><i class="swatch tickmark"></i>the bound</span></p>'


def nice_step(most):
    raw = most / 5
    size = 10 ** math.floor(math.log10(raw))
    return next(size * m for m in (1, 2, 5, 10) if size * m >= raw)


def heat_map(sweep, variant, cliffs):
    """Shares of the bound by number of classes (down) and features (across), in per cent."""
    cell_w, cell_h, left, top = 38, 19, 50, 34
    rows, columns = sweep["classes"], sweep["features"]
    grid = sweep["shares"][variant]
    deep = {(c.classes, c.features) for c in cliffs if c.variant == variant}
    width, height = left + cell_w * len(columns) + 6, top + cell_h * len(rows) + 8
    parts = [
        f'<text x="{left}" y="12" class="axis">features →</text><text x="4" y="{top - 5}" class="axis">classes</text>'
    ]
    for j, features in enumerate(columns):
        parts.append(f'<text x="{left + cell_w * (j + .5)}" y="{top - 5}" class="tiny mid">{features}</text>')
    outlines = []
    for i, classes in enumerate(rows):
        y = top + cell_h * i
        parts.append(f'<text x="{left - 6}" y="{y + 13}" class="tiny end">{classes}</text>')
        for j, features in enumerate(columns):
            share = grid[i][j]
            if share is None:
                continue
            x = left + cell_w * j
            strong = " on" if share > 0.55 else ""
            parts.append(
                f"<g><title>{variant}, {features} features, {classes} classes: {100 * share:.0f} % of the bound</title>"
                f'<rect x="{x}" y="{y}" width="{cell_w - 1}" height="{cell_h - 1}" class="heat" '
                f'style="--s:{100 * min(share, 1):.0f}%"/>'
                f'<text x="{x + cell_w / 2 - .5}" y="{y + 13}" class="tiny mid cell{strong}">'
                f"{100 * share:.0f}</text></g>"
            )
            if (classes, features) in deep:
                outlines.append(f'<rect x="{x}" y="{y}" width="{cell_w - 1}" height="{cell_h - 1}" class="cliff"/>')
    return svg(width, height, f"Sweep of {variant}", parts + outlines, "wide")


def history(points):
    """A line for a series of shares of the bound, oldest first."""
    width, height = 120, 26
    if len(points) < 2:
        return ""

    def at(i, share):
        return 4 + (width - 8) * i / (len(points) - 1), height - 4 - (height - 8) * min(share, 1)

    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in (at(i, s) for i, s in enumerate(points)))
    x, y = at(len(points) - 1, points[-1])
    return svg(
        width,
        height,
        "over time",
        [f'<polyline points="{line}" class="series"/><circle cx="{x:.1f}" cy="{y:.1f}" r="2.5" class="mark c1"/>'],
        "spark",
    )
