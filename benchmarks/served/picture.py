"""Requests a second at 64 connections, by model and server, on one logarithmic axis."""

from __future__ import annotations

from benchmarks.frame import RESULTS

_OURS, _OTHERS = "#1f6f8b", ("#5b5b5b", "#c98b2b", "#8a6fb0", "#6fa287", "#b0736f", "#9a9a9a")


def draw(rates: dict[str, dict[str, float]]) -> None:
    """Write gateway_rates.svg.

    Args:
        rates: by model and server.
    """
    import matplotlib as mpl
    from matplotlib.figure import Figure

    mpl.rcParams["svg.hashsalt"] = "gateway_rates"
    servers = ["gateway", *dict.fromkeys(name for one in rates.values() for name in one if name != "gateway")]
    figure = Figure(figsize=(8, 4), layout="constrained")
    axes = figure.subplots()
    wide = 0.8 / len(servers)
    for place, server in enumerate(servers):
        known = [(at, one[server]) for at, one in enumerate(rates.values()) if server in one]
        colour = _OURS if server == "gateway" else _OTHERS[(place - 1) % len(_OTHERS)]
        axes.bar([at + place * wide for at, _ in known], [rate for _, rate in known], wide, label=server, color=colour)
    axes.set_yscale("log")
    axes.set_xticks([at + 0.4 - wide / 2 for at in range(len(rates))], list(rates))
    axes.set_ylabel("requests a second")
    axes.set_title("1 row, 64 connections, one worker", fontsize=10, loc="left")
    axes.legend(fontsize=8, frameon=False, ncols=3)
    axes.spines[["top", "right"]].set_visible(False)
    RESULTS.mkdir(parents=True, exist_ok=True)
    figure.savefig(RESULTS / "gateway_rates.svg", metadata={"Date": None})
