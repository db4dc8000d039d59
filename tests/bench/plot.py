# SPDX-License-Identifier: Apache-2.0
#
# plot.py RESULTS: an SVG of what "run.sh --json" measured, over the number of contexts: calls a
# second above, the time of a create below, both axes logarithmic.
import json
import math
import sys

WIDTH, HEIGHT, LEFT, RIGHT, GAP = 860, 330, 90, 190, 60
RATES = [
    ("batch", "creates in batches", "#7b3294"),
    ("read", "reads", "#0571b0"),
    ("us", "creates", "#ca0020"),
    ("list", "lists of 100", "#5e7d32"),
]
TIMES = [
    ("p999", "p99.9", "#7b3294"),
    ("p99", "p99", "#0571b0"),
    ("p50", "p50", "#ca0020"),
]


def series(sizes, name):
    """Points of one figure; rates are kept as microseconds but for the batches'."""
    points = [(size["contexts"], size[name]) for size in sizes if name in size]
    if name in ("read", "us", "list"):
        points = [(count, 1e6 / microseconds) for count, microseconds in points]
    return sorted(points)


def short(value):
    for unit, name in ((1e6, " M"), (1e3, " k")):
        if value >= unit:
            return f"{value / unit:g}{name}"
    return f"{value:g}"


class Panel:
    """One plot: where it is, and what its axes span, in powers of ten."""

    def __init__(self, top, counts, values):
        self.top = top
        self.x = (math.floor(math.log10(min(counts))), math.ceil(math.log10(max(counts))))
        self.y = (math.floor(math.log10(min(values))), math.ceil(math.log10(max(values))))
        if self.x[0] == self.x[1]:
            self.x = (self.x[0], self.x[0] + 1)
        if self.y[0] == self.y[1]:
            self.y = (self.y[0], self.y[0] + 1)

    def place(self, count, value):
        across = (math.log10(count) - self.x[0]) / (self.x[1] - self.x[0])
        up = (math.log10(value) - self.y[0]) / (self.y[1] - self.y[0])
        return LEFT + across * (WIDTH - LEFT - RIGHT), self.top + HEIGHT - up * HEIGHT

    def axes(self, title):
        left, right, bottom = LEFT, WIDTH - RIGHT, self.top + HEIGHT
        yield text(left, self.top - 12, title, "start", "bold")
        for power in range(self.y[0], self.y[1] + 1):
            for digit in (1, 2, 5):
                if power == self.y[1] and digit > 1:
                    break
                value = digit * 10.0**power
                _, y = self.place(10.0 ** self.x[0], value)
                yield line(left, y, right, y, "#ccc" if digit == 1 else "#eee")
                yield text(left - 8, y + 4, short(value), "end")
        for power in range(self.x[0], self.x[1] + 1):
            x, _ = self.place(10.0**power, 10.0 ** self.y[0])
            yield line(x, self.top, x, bottom, "#ccc")
            yield text(x, bottom + 18, short(10.0**power), "middle")
        yield text((left + right) / 2, bottom + 36, "SA contexts", "middle")

    def draw(self, lines):
        lowest = -math.inf
        # Labels stand beside the last points, from above and with room between them.
        lines = sorted(lines, key=lambda entry: -entry[2][-1][1])
        for name, colour, points in lines:
            places = [self.place(*point) for point in points]
            path = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
            yield f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>'
            for (x, y), (count, value) in zip(places, points):
                yield (
                    f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5" fill="{colour}">'
                    f"<title>{name}: {value:.0f} at {count}</title></circle>"
                )
            lowest = max(lowest + 16, places[-1][1] + 4)
            label = f"{name}: {short(float(f'{points[-1][1]:.3g}'))}"
            yield text(places[-1][0] + 10, lowest, label, "start", fill=colour)


def text(x, y, words, anchor, weight="normal", fill="#222"):
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-weight="{weight}" '
        f'fill="{fill}">{words}</text>'
    )


def line(x1, y1, x2, y2, colour):
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{colour}"/>'


def panel(top, title, sizes, figures):
    lines = [(name, colour, series(sizes, key)) for key, name, colour in figures]
    lines = [entry for entry in lines if entry[2]]
    counts = [count for _, _, points in lines for count, _ in points]
    values = [value for _, _, points in lines for _, value in points]
    place = Panel(top, counts, values)
    return [*place.axes(title), *place.draw(lines)]


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        results = json.load(file)
    if not results["sizes"]:
        sys.exit("plot: no sizes were measured")
    second = 70 + HEIGHT + GAP + 40
    whole = second + HEIGHT + 75
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {whole}" '
        f'width="{WIDTH}" height="{whole}" font-family="sans-serif" font-size="13">',
        f'<rect width="{WIDTH}" height="{whole}" fill="#fff"/>',
        text(LEFT, 26, "sa-contextd over the number of SA contexts", "start", "bold"),
        *panel(70, "calls a second", results["sizes"], RATES),
        *panel(second, "microseconds of a create, 64 connections", results["sizes"], TIMES),
        text(LEFT, whole - 12, results["machine"], "start", fill="#666"),
        "</svg>",
    ]
    print("\n".join(parts))


main()
