"""A comparison as a picture: speeds as bars, a panel for every m, ourselves in colour above our peers."""

from pathlib import Path

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot

import report

OURS, PEER, BETTER = "#1f6fb4", "#b9bec4", "#8b9097"
LINE = 0.17  # inches


def draw(result: dict, path: Path) -> None:
    """Writes an SVG or a PNG, as the name of the file says."""
    which = report.clock(result)
    places, y = {}, 0.0
    for row in result["rows"]:
        for index, contender in enumerate(row["contenders"]):
            places[row["name"], contender["name"]] = y
            y += 1
        y += 0.7
    # Texts stay texts, and the same numbers give the same file.
    matplotlib.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "mezzo", "font.size": 7})
    ms = result["m"]
    size = (2.2 + 2.3 * len(ms), 1.2 + LINE * y)
    figure, panels = pyplot.subplots(1, len(ms), figsize=size, sharey=True, squeeze=False, layout="constrained")
    for index, (m, panel) in enumerate(zip(ms, panels[0])):
        _panel(panel, result, index, places, which)
        cold = result["rows"][0]["cells"][index]["cold"]
        panel.set_title(f"m = {m}" + (", weights from memory" if cold else ""), fontsize=8)
    first = panels[0][0]
    first.set_yticks(list(places.values()), [_label(row, name) for row, name in places])
    for tick, (row, name) in zip(first.get_yticklabels(), places):
        if _is_ours(result, row, name):
            tick.set_fontweight("bold")
    first.set_ylim(y, -1)
    figure.suptitle(
        f"y[m, {result['n']}] = x[m, {result['k']}] w$^T$, {report.threads(result)}, {result['machine']['cpu']}: "
        "GOP/s (median), and how many times as fast as a peer we are (dark: it is faster)",
        fontsize=8,
    )
    metadata = {"Date": None} if path.suffix == ".svg" else None
    figure.savefig(path, metadata=metadata, dpi=150)
    pyplot.close(figure)


def _panel(panel, result, index, places, which) -> None:
    longest = 0.0
    for row in result["rows"]:
        cell = row["cells"][index]
        ours = row["contenders"][0]["name"]
        for contender in row["contenders"]:
            name = contender["name"]
            place, speed = places[row["name"], name], report.gops(cell, name, which)
            longest = max(longest, speed)
            ratio = report.ratios(cell, name, ours, which)[0]
            colour = OURS if name == ours else PEER if ratio >= 1 else BETTER
            panel.barh(place, speed, height=0.8, color=colour)
            text = f" {speed:.0f}" + ("" if name == ours else f"  ({ratio:.2f}x)")
            if name == ours and cell["reads"]:
                read, _ = report.read_us(cell, which)
                text += f"  {100 * read / cell['times'][name][f'{which}_us']:.0f} % of a read"
            panel.text(speed, place, text, va="center", fontsize=6, fontweight="bold" if name == ours else "normal")
    panel.set_xlim(0, 1.45 * longest)
    panel.tick_params(axis="y", length=0)
    for side in ("top", "right", "left"):
        panel.spines[side].set_visible(False)


def _label(row: str, name: str) -> str:
    return row if name.startswith(f"mezzo {row.split()[0]}:") else name


def _is_ours(result: dict, row_name: str, name: str) -> bool:
    return any(row["name"] == row_name and row["contenders"][0]["name"] == name for row in result["rows"])
