"""The four figures of the psi pilot."""

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

DPI = 90
COLOURS = {"standard": "#5c6470", "fgsm-rs": "#9a7200", "n-fgsm": "#0072b2", "pgd-at": "#c4500a"}
MARKERS = {"cnn": "o", "small-cnn": "s", "lenet5": "^", "resnet18-w8": "D"}
FIGURES = {"psi": ("psi (B)", "#0072b2"), "pgd": ("PGD accuracy", "#c4500a")}
TITLES = {"raw": "raw form", "A": "form A", "B": "form B"}


def quiet(axes):
    """Fine lines, no frame."""
    axes.grid(axis="y", color="#e3e3de", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(labelsize=8, length=0)
    for spine in axes.spines.values():
        spine.set_visible(False)


def logarithmic(axes):
    """A logarithmic y axis with plain numbers; beyond four decades only powers of ten, which then fit."""
    axes.set_yscale("log")
    low, high = axes.get_ylim()
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if high < 1e4 * low else (1,), numticks=12))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.yaxis.set_minor_locator(NullLocator())


def draw(folder, psi, entries, stable, cost, called, main):
    """Write all four."""
    figures = {
        "order": order(entries, called, main), "architectures": architectures(psi, entries, called),
        "settings": settings(stable), "cost": costs(cost),
    }  # fmt: skip
    for name, figure in figures.items():
        figure.savefig(folder / f"psi-{name}.png", dpi=DPI, metadata={"Software": None})


def order(entries, called, main):
    """Psi of each training of the main architectures, a point for each seed with its interval."""
    figure = Figure(figsize=(9.5, 5.4), layout="constrained")
    panels = figure.subplots(2, 3, squeeze=False)
    for row, (data, model) in zip(panels, main.items(), strict=True):
        here = {e["training"] for e in entries if (e["data"], e["architecture"]) == (data, model)}
        trainings = [each for each in called if each in here]
        for axes, form in zip(row, TITLES, strict=True):
            for e in entries:
                if (e["data"], e["architecture"], e["form"], e["class"]) != (data, model, form, "all"):
                    continue
                x, value = trainings.index(e["training"]) + 0.14 * (e["seed"] - 1), float(e["psi"])
                error = [[value - float(e["low"])], [float(e["high"]) - value]]
                axes.errorbar(x, value, yerr=error, fmt=MARKERS[model], color=COLOURS[e["training"]], markersize=5,
                              capsize=2, linewidth=1.2)  # fmt: skip
            logarithmic(axes)
            axes.set_xlim(-0.5, len(trainings) - 0.5)
            axes.set_xticks(range(len(trainings)), [called[each] for each in trainings])
            axes.set_title(f"{data}, {model}: {TITLES[form]}", fontsize=9)
            quiet(axes)
        row[0].set_ylabel("psi (1 / nats), 3 seeds", fontsize=8)
    return figure


def architectures(psi, entries, called):
    """Psi against PGD accuracy: all models of Fashion-MNIST."""
    figure = Figure(figsize=(9.5, 3.6), layout="constrained")
    panels = figure.subplots(1, 3, squeeze=False)[0]
    for axes, form in zip(panels, TITLES, strict=True):
        for e in entries:
            key = e["data"], e["architecture"], e["training"], e["seed"]
            if e["data"] != "fashion-mnist" or (e["form"], e["class"]) != (form, "all"):
                continue
            value, x = float(e["psi"]), 100 * psi[key]["attacked"].mean()
            error = [[value - float(e["low"])], [float(e["high"]) - value]]
            axes.errorbar(x, value, yerr=error, fmt=MARKERS[e["architecture"]], color=COLOURS[e["training"]],
                          markersize=5, capsize=0, linewidth=0.8, alpha=0.85)  # fmt: skip
        logarithmic(axes)
        axes.set_xlabel("accuracy under PGD-20 (%)", fontsize=8)
        axes.set_title(TITLES[form], fontsize=9)
        quiet(axes)
    panels[0].set_ylabel("psi (1 / nats)", fontsize=8)
    shown = [Line2D([], [], color=colour, marker="o", linestyle="", label=called[each])
             for each, colour in COLOURS.items()]  # fmt: skip
    shown += [Line2D([], [], color="#1d2127", marker=MARKERS[each], linestyle="", label=each)
              for each in ("cnn", "small-cnn", "lenet5")]  # fmt: skip
    figure.legend(handles=shown, loc="outside lower center", ncols=7, frameon=False, fontsize=8)
    return figure


def settings(stable):
    """Tau-b with the reference: all settings in order, and meaned over those that share a value."""
    figure = Figure(figsize=(9.5, 3.6), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=[1, 1.7])
    groups = [("2 grad.", 3, "2"), ("4", 3, "4"), ("8", 3, "8"), ("16", 3, "16"), ("step 0.1", 2, "0.1"),
              ("0.25", 2, "0.25"), ("1.0", 2, "1.0"), ("1 start", 4, "1"), ("2", 4, "2"), ("own loss", 1, "own"),
              ("other", 1, "other")]  # fmt: skip
    for seed, (_, taus, _) in stable.items():
        for figure_name, (names, values) in taus.items():
            label, colour = FIGURES[figure_name]
            left.plot(np.sort(values), color=colour, linewidth=1.5, alpha=0.8, label=label if seed == 0 else None)
            for at, (_, part, value) in enumerate(groups):
                chosen = [t for name, t in zip(names, values, strict=True) if name.split("/")[part] == value]
                aside = at + 0.1 * (seed - 1) + (-0.18 if figure_name == "psi" else 0.18)
                right.plot(aside, np.mean(chosen), marker="o" if figure_name == "psi" else "s", color=colour,
                           markersize=4.5)  # fmt: skip
    for axes in (left, right):
        quiet(axes)
    left.set_xlabel("settings, in order", fontsize=8)
    left.set_ylabel("Kendall's tau-b with the reference", fontsize=8)
    left.legend(frameon=False, fontsize=8, loc="lower right")
    right.set_xticks(range(len(groups)), [name for name, _, _ in groups], rotation=45, ha="right")
    right.set_title("mean of the settings that share a value; a point is a seed", fontsize=9)
    for border in (3.5, 6.5, 8.5):
        right.axvline(border, color="#e3e3de", linewidth=1)
    return figure


def costs(cost):
    """Tau-b against passes of an image, and what is expected of few images against all passes."""
    figure = Figure(figsize=(9.5, 3.6), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True)
    for seed, figures in cost.items():
        for name, (passes, taus, _, _, tried) in figures.items():
            label, colour = FIGURES[name]
            left.plot(passes, taus, marker="o", markersize=4, color=colour, linewidth=1.3,
                      label=label if seed == 0 else None)  # fmt: skip
            ordered = sorted(tried)
            best = np.maximum.accumulate([t for _, t in ordered])
            right.step([spent for spent, _ in ordered], best, where="post", color=colour, linewidth=1.3)
    right.axhline(0.8, color="#5c6470", linewidth=0.8, linestyle="--")
    for axes, title in ((left, "forwards + backwards of an image"), (right, "passes times images, best choice")):
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.xaxis.set_minor_locator(NullLocator())
        axes.set_xlabel(title, fontsize=8)
        quiet(axes)
    left.set_ylabel("Kendall's tau-b with the reference", fontsize=8)
    left.legend(frameon=False, fontsize=8, loc="lower right")
    return figure
