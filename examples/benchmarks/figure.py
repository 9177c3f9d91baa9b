"""Draw the ratios of a page that `against_sklearn.py` wrote.

    python examples/benchmarks/figure.py docs/benchmarks/against_sklearn.md docs/benchmarks/against_sklearn.svg

Needs matplotlib. Bars are medians, lines go from the least to the most, ticks show what was to be reached.
"""

import pathlib
import re
import sys

from matplotlib import pyplot as plt


def lines(page):
    """Name, ratio, least, most and target (or None) of every line of the table."""
    for row in page.splitlines():
        cells = [cell.strip() for cell in row.strip("|").split("|")]
        found = len(cells) > 4 and re.fullmatch(r"([\d.]+) \(([\d.]+) to ([\d.]+)\)", cells[3])
        if found:
            yield cells[0], *map(float, found.groups()), float(cells[4]) if cells[4] else None


def draw(page, output):
    """Horizontal bars, the first line of the table on top."""
    plt.switch_backend("svg")
    plt.rcParams["svg.hashsalt"] = "sksgd"  # equal figures, equal files
    names, ratios, least, most, targets = zip(*lines(page), strict=True)
    places = range(len(names), 0, -1)
    figure, axes = plt.subplots(figsize=(8, 0.24 * len(names) + 1), layout="constrained")
    spread = [[a - b for a, b in zip(ratios, least, strict=True)], [a - b for a, b in zip(most, ratios, strict=True)]]
    axes.barh(places, ratios, color="#56b4e9", xerr=spread, ecolor="#444444")
    known = [(target, place) for target, place in zip(targets, places, strict=True) if target]
    axes.scatter(*zip(*known, strict=True), marker="|", s=120, color="#d55e00", label="to be reached")
    axes.axvline(1, color="#444444", linewidth=0.8)
    axes.set(yticks=places, yticklabels=names, xlabel="times as fast as scikit-learn")
    axes.tick_params(axis="y", labelsize=8)
    axes.margins(y=0.01)
    axes.legend(loc="lower right")
    figure.savefig(output, metadata={"Date": None})


if __name__ == "__main__":
    draw(pathlib.Path(sys.argv[1]).read_text(), sys.argv[2])
