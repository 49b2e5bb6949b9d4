"""Logarithmic axes: there are numbers on them, however short they are."""

import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from weakspot.report.explain_drawing import logarithmic


@pytest.mark.parametrize(
    "ends",
    [
        (1.2, 1.9),
        (0.06, 0.098),
        (0.55, 1.3),
        (2.0, 7.0),
        (0.5, 40.0),
        (1e-3, 1e3),
        (2.0, 31.0),
        (0.9, 14.0),
        (7.1, 60.0),
        (5.1, 21.0),
        (12.0, 900.0),
    ],
)
def test_at_least_three_numbers_stand_on_it(ends: tuple[float, float]) -> None:
    figure = Figure()
    axes = figure.add_subplot()
    axes.plot(ends, (0, 1))
    logarithmic(axes)
    FigureCanvasAgg(figure).draw()
    low, high = axes.get_xlim()
    labels = [*axes.get_xticklabels(), *axes.get_xticklabels(minor=True)]
    shown = {label.get_text() for label in labels if low <= label.get_position()[0] <= high} - {""}
    assert 3 <= len(shown) <= 9, shown
    assert all(low <= float(text) * (1 + 1e-6) and float(text) <= high * (1 + 1e-6) for text in shown), shown
