"""The section on feature space in a real browser: drawn without a request or a complaint, on any screen."""

import pytest
import synthetic_runs as runs
from test_browser import Visit, browser, pytestmark  # noqa: F401  # a fixture and this file's marks
from test_latent_report import made

from weakspot.report.html import to_html


@pytest.mark.parametrize("width, names", [(360, runs.HOSTILE), (1280, runs.CIFAR)])
def test_maps_and_distances_are_drawn(browser, tmp_path, width, names):  # noqa: F811  # the fixture
    summary, plan, found = made(names, 500)
    path = tmp_path / "report.html"
    path.write_text(to_html(summary, plan, latent=found), encoding="utf-8")
    visit = Visit(browser, path, viewport={"width": width, "height": 800}, color_scheme="dark")
    for figure in ("latent-pca", "latent-tsne", "latent-distances"):
        place = visit.draw(figure)
        if figure != "latent-distances":
            assert place.locator(".scatterlayer .point").count() == 1000
    assert visit.page.evaluate("document.documentElement.scrollWidth") <= width
    assert visit.page.locator(".chart a").count() == 0
    assert visit.requests == [visit.address]
    assert visit.complaints == []
    assert "owned" not in visit.page.title()
    visit.context.close()
