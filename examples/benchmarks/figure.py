"""Draw the page of `against_sklearn.py`: how many times as fast as scikit-learn, line by line.

    python examples/benchmarks/figure.py docs/benchmarks/against_sklearn.md docs/benchmarks/against_sklearn.svg

Predictions, short calls and extra lines are left out.
"""

import pathlib
import re
import sys

import matplotlib as mpl
from matplotlib import pyplot as plt

mpl.rcParams["svg.hashsalt"] = "sksgd"  # the same page gives the same file


def lines(page):
    """Name, ratio, its spread and the ratio of the floor (or None) of each line of the page."""
    for row in page.splitlines():
        cells = [cell.strip() for cell in row.strip("|").split("|")]
        found = re.fullmatch(r"([\d.]+) \(([\d.]+) to ([\d.]+)\)", cells[3]) if len(cells) == 9 else None
        if found:
            yield cells[0], *map(float, found.groups()), float(cells[7]) if cells[7] else None


def draw(page):
    """The figure of a page."""
    chosen = [line for line in lines(page) if not re.search("extra|n_jobs|predict|decision|of one", line[0])][::-1]
    figure, ax = plt.subplots(figsize=(9, 0.24 * len(chosen) + 1.2), layout="constrained")
    for place, (_, ratio, least, most, floor) in enumerate(chosen):
        ax.barh(place, ratio - 0.5, left=0.5, color="#0072b2", height=0.62)
        (spread,) = ax.plot([least, most], [place, place], color="black", linewidth=1.2)
        if floor:
            (mark,) = ax.plot(floor, place, marker="o", markerfacecolor="none", color="#d55e00", linestyle="none")
    figure.legend([spread, mark], ["least to most", "merely reading the rows"], loc="outside upper right", ncols=2)
    ax.axvline(1, color="black", linewidth=0.8)
    ax.set_yticks(range(len(chosen)), [name.split(" (")[0] for name, *_ in chosen], fontsize=8)
    ax.set_xscale("log", base=2)
    ax.set_xlim(0.5, None)
    ax.xaxis.set_major_formatter(lambda x, _: f"{x:g}x")
    ax.set_xlabel("times as fast as scikit-learn")
    ax.set_ylim(-0.7, len(chosen) - 0.3)
    ax.spines[["top", "right"]].set_visible(False)
    return figure


if __name__ == "__main__":
    source, target = map(pathlib.Path, sys.argv[1:])
    draw(source.read_text()).savefig(target, metadata={"Date": None})
