"""What all displays share: axes, colours, names."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

# Okabe and Ito (2008), without yellow, which is too light for lines: told apart with any colour vision. The order puts
# the strongest contrasts first; dashes tell the curves apart in grey.
COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
DASHES = ("-", (0, (5, 1.5)), (0, (3, 1, 1, 1)), (0, (1, 1)))
GREY = "#888888"


class Display:
    """A picture; a subclass draws it by `_draw(ax)`."""

    #: Inches.
    _size = (6.4, 4.2)

    def _plot(self, ax: Any) -> Any:
        """Draw into the axes given, or into those of a new figure."""
        if ax is None:
            _, ax = _pyplot(type(self).__name__).subplots(figsize=self._size, layout="constrained")
        self.ax_, self.figure_ = ax, ax.figure
        self._draw(ax)
        return self

    def _draw(self, ax: Any) -> None:
        raise NotImplementedError


def _pyplot(what: str) -> Any:
    try:
        import matplotlib.pyplot as plt
    except ImportError as error:
        raise ImportError(f"{what} draws with matplotlib. Install it: pip install 'sksgd[plot]'.") from error
    return plt


def look(i: int) -> dict[str, Any]:
    """Colour and dashes of curve number `i`: as many pairs as both cycles make."""
    return {"color": COLORS[i % len(COLORS)], "linestyle": DASHES[(i // len(COLORS) + i) % len(DASHES)]}


#: Beside iterates of which an average is shown, both in one colour.
PALE, STRONG = {"linewidth": 0.8, "alpha": 0.5}, {"linewidth": 2.2}


def legend(ax: Any, last: int = 0) -> None:
    """A legend beside the axes, where it hides nothing, if there are several curves; the first `last` end the list."""
    handles, labels = ax.get_legend_handles_labels()
    if len(handles) > 1:
        handles, labels = handles[last:] + handles[:last], labels[last:] + labels[:last]
        ax.legend(handles, labels, loc="upper left", bbox_to_anchor=(1.01, 1.0), borderaxespad=0.0, frameon=False)


def count_passes(ax: Any) -> None:
    """Ticks of the horizontal axis at whole numbers."""
    ax.xaxis.get_major_locator().set_params(integer=True)


def finish(ax: Any, title: str, xlabel: str, ylabel: str, last: int = 0) -> None:
    """Title, labels of the axes with units, a light grid, the legend."""
    ax.set(title=title, xlabel=xlabel, ylabel=ylabel)
    ax.grid(True, color="#DDDDDD", linewidth=0.6)
    ax.set_axisbelow(True)
    ax.spines[["top", "right"]].set_visible(False)
    legend(ax, last)


def named(items: Any, name: Callable[[Any], str]) -> dict[str, Any]:
    """What is to be drawn, by names: a mapping as it is, a sequence by `name`, numbered where names agree."""
    if isinstance(items, Mapping):
        return {str(key): value for key, value in items.items()}
    found: dict[str, Any] = {}
    several: Sequence[Any] = list(items)
    for item in several:
        base, n = name(item), 1
        label = base
        while label in found:
            n += 1
            label = f"{base} ({n})"
        found[label] = item
    return found
