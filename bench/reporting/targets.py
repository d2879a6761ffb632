"""The targets, judged from a report's data. Pure functions: data in, rows out.

Targets that were set as times on one machine are judged by what they were there in terms of the bound or of measured
passes. Those of a shape and a kernel hold for every variant against its own peak.
"""

from collections import namedtuple

from . import measure

# `status`: pass, stretch, short or missing. `reached` and `goal` are texts, `detail` says where the worst figure is.
Row = namedtuple("Row", "id work variant goal stretch reached detail status")

FASHION = "60000x784x10"
WIDE = "4096x768x1000"
CUBE = "2048x2048x2048"
VOCABULARY = "512x1024x32000"
ONE_AND_TWO = (1, 2)


class Table:
    """The cases by name, and the peers' best."""

    def __init__(self, data):
        self.data = data
        self.variants = data["variants"]
        self.cases = {c["name"]: c for c in data["cases"]}

    def case(self, family, variant, shape, threads):
        return self.cases.get(f"{family}/{variant}/{shape}/{threads}")

    def time(self, family, variant, shape, threads, key="min"):
        case = self.case(family, variant, shape, threads)
        return None if case is None else case.get(key)

    def peer_names(self):
        """As measured, without the layouts' suffixes."""
        names = []
        for case in self.data["cases"]:
            name = case["variant"].removesuffix("_dxc")
            if name not in self.variants and name not in names:
                names.append(name)
        return names

    def peer_time(self, family, peer, shape, threads, key="min"):
        """With the layout of W that suits the peer best."""
        times = [self.time(family, name, shape, threads, key) for name in (peer, peer + "_dxc")]
        return min((t for t in times if t is not None), default=None)

    def ratios(self, family, shape, threads, key="min"):
        """{peer: its time over ours}, ours being the best variant's."""
        ours = self.time(family, self.variants[0], shape, threads, key)
        if not ours:
            return {}
        found = {peer: self.peer_time(family, peer, shape, threads, key) for peer in self.peer_names()}
        return {peer: t / ours for peer, t in found.items() if t is not None}


def percent(value):
    return f"{100 * value:.1f} %"


def times(value):
    return f"{value:.2f} x"


def judge(worst, goal, stretch, at_least):
    if worst is None:
        return "missing"
    reaches = (lambda limit: worst >= limit) if at_least else (lambda limit: worst <= limit)
    if stretch is not None and reaches(stretch):
        return "stretch"
    return "pass" if reaches(goal) else "short"


def row(id_, work, variant, figures, goal, stretch, at_least, text, unit=""):
    """One row from {where: figure}: the worst of them counts; a figure that was not measured leaves the row open."""
    sign = "≥" if at_least else "≤"
    known = {where: value for where, value in figures.items() if value is not None}
    complete = bool(known) and len(known) == len(figures)
    worst = (min if at_least else max)(known.values(), default=None)
    where = next((w for w, v in known.items() if v == worst), "")
    others = "; ".join(f"{w}: {text(v)}" for w, v in known.items())
    status = judge(worst, goal, stretch, at_least)
    if not complete and status != "short":
        status = "missing"
    return Row(
        id_,
        work,
        variant,
        f"{sign} {text(goal)}{unit}",
        "" if stretch is None else f"{sign} {text(stretch)}{unit}",
        "not measured" if worst is None else text(worst) + (f" ({where})" if len(known) > 1 and where else ""),
        others,
        status,
    )


def thread_text(threads):
    return "1 thread" if threads == 1 else f"{threads} threads"


def shares_of_peak(table, variant, families, shapes, threads=ONE_AND_TWO):
    figures = {}
    for shape in shapes:
        for family in families:
            for n in threads:
                case = table.case(family, variant, shape, n)
                peak = measure.limit(table.data, variant, n, "arithmetic")
                figures[f"{family} {shape}, {thread_text(n)}"] = case["gflops"] / peak if case and peak else None
    return figures


def over_bound(table, variant, family, shape, threads):
    figures = {}
    for n in threads:
        case = table.case(family, variant, shape, n)
        figures[thread_text(n)] = 1 / case["share"] if case else None
    return figures


def ratio(a, b):
    return a / b if a is not None and b else None


def peer_rows(table, id_, work, families, shapes, threads, key="min"):
    figures = {
        f"{peer}, {family} {shape}, {thread_text(n)}": value
        for family in families
        for shape in shapes
        for n in threads
        for peer, value in table.ratios(family, shape, n, key).items()
    }
    return row(id_, work, table.variants[0], figures, 1.0, None, True, times, " every peer's speed")


def per_variant(table, variant):
    """The targets that are ratios to a variant's own limits."""
    two_over_one = {
        shape: ratio(table.time("pass", variant, shape, 1), table.time("pass", variant, shape, 2))
        for shape in (WIDE, CUBE)
    }
    return [
        row(
            "T1",
            "both products, 4096 x 768 x 1000 and 2048³, 1 and 2 threads",
            variant,
            shares_of_peak(table, variant, ("logits", "gradient"), (WIDE, CUBE)),
            0.95,
            0.97,
            True,
            percent,
            " of peak",
        ),
        row(
            "T2",
            "loss and gradient, 60000 x 784 x 10",
            variant,
            over_bound(table, variant, "pass", FASHION, ONE_AND_TWO),
            1.3,
            1.15,
            False,
            times,
            " bound",
        ),
        row(
            "T3",
            "the same from u8 pixels, against f32",
            variant,
            {
                thread_text(n): ratio(
                    table.time("pass_u8", variant, FASHION, n), table.time("pass", variant, FASHION, n)
                )
                for n in ONE_AND_TWO
            },
            1.0,
            None,
            False,
            times,
            " the time",
        ),
        row(
            "T4",
            "training step, 256 x 784 x 10, 1 thread",
            variant,
            over_bound(table, variant, "train_step", "256x784x10", (1,)),
            1.4,
            1.155,
            False,
            times,
            " bound",
        ),
        row(
            "T5",
            "loss and gradient, 4096 x 768 x 1000",
            variant,
            shares_of_peak(table, variant, ("pass",), (WIDE,)),
            0.92,
            0.95,
            True,
            percent,
            " of peak",
        ),
        row(
            "T11",
            "an epoch of batches of 256, 60000 x 784 x 10, 2 threads, against one pass",
            variant,
            {"": ratio(table.time("epoch", variant, FASHION, 2), table.time("pass", variant, FASHION, 2))},
            2.7,
            1.8,
            False,
            times,
            " the pass",
        ),
        row(
            "T12", "2 threads over 1, loss and gradient, compute-bound", variant, two_over_one, 1.85, 1.95, True, times
        ),
        row(
            "T13",
            "loss and gradient, 512 x 1024 x 32000, 2 threads",
            variant,
            shares_of_peak(table, variant, ("pass",), (VOCABULARY,), (2,)),
            0.88,
            0.93,
            True,
            percent,
            " of peak",
        ),
    ]


def best_variant(table):
    """All targets for the variant that a user gets."""
    best = table.variants[0]
    rows = {r.id: r for r in per_variant(table, best)}
    sleef = {shape: table.ratios("softmax_loss", shape, 1).get("sleef") for shape in ("64x1000", "4096x10")}

    def predict(key):
        return {"": table.time("predict", best, "784x10", 1, key)}

    def nanoseconds(value):
        return f"{value:.0f} ns"

    scratch = {family: table.time(family, best, VOCABULARY, 2, "workspace_MiB") for family in ("pass", "train_step")}
    found = [
        rows["T1"],
        peer_rows(table, "T1", "the same, against every peer", ("logits", "gradient"), (WIDE, CUBE), ONE_AND_TWO),
        rows["T2"],
        rows["T3"],
        rows["T4"],
        rows["T5"],
        row(
            "T6",
            "losses and residuals, C = 1000, against SLEEF's exp",
            best,
            {"": sleef["64x1000"]},
            2.0,
            None,
            True,
            times,
            " its speed",
        ),
        row("T6", "the same, C = 10", best, {"": sleef["4096x10"]}, 5.0, None, True, times, " its speed"),
        row("T7", "one prediction, 784 x 10, warm: median", best, predict("p50_ns"), 150, 100, False, nanoseconds),
        row("T7", "the same: 99.9th percentile", best, predict("p99.9_ns"), 500, None, False, nanoseconds),
        peer_rows(table, "T8", "one prediction, 768 x 1000, f32: median", ("predict",), ("768x1000",), (1,), "p50_ns"),
        rows["T11"],
        rows["T12"],
        rows["T13"],
        row("T13", "the same: scratch memory", best, scratch, 96, None, False, lambda v: f"{v:.0f} MiB"),
    ]
    for variant, goal in (("avx2_fma", 0.93), ("sse2", 0.85)):
        if variant in table.variants:
            found.append(
                row(
                    "T14",
                    "loss and gradient, 4096 x 768 x 1000",
                    variant,
                    shares_of_peak(table, variant, ("pass",), (WIDE,)),
                    goal,
                    None,
                    True,
                    percent,
                    " of peak",
                )
            )
    return found


def other_variants(table):
    """The ratio targets of the variants that are not the best here; T14 has its own figures in T5's place."""
    return [r for variant in table.variants[1:] for r in per_variant(table, variant) if r.id != "T5"]


# ---- the sweep ----

Cliff = namedtuple("Cliff", "variant features classes share neighbours along depth")
CLIFF = 0.75


def cliffs(sweep):
    """Points whose share is less than 3/4 of their two neighbours' mean along either axis, the deepest first."""
    if not sweep:
        return []
    found = []
    rows, columns = sweep["classes"], sweep["features"]
    for variant, grid in sweep["shares"].items():
        for i, classes in enumerate(rows):
            for j, features in enumerate(columns):
                share = grid[i][j]
                lines = []
                if 0 < j < len(columns) - 1:
                    lines.append(("features", grid[i][j - 1], grid[i][j + 1]))
                if 0 < i < len(rows) - 1:
                    lines.append(("classes", grid[i - 1][j], grid[i + 1][j]))
                for along, before, after in lines:
                    if None in (share, before, after):
                        continue
                    depth = share / ((before + after) / 2)
                    if depth < CLIFF:
                        found.append(Cliff(variant, features, classes, share, (before, after), along, depth))
    return sorted(found, key=lambda c: c.depth)
