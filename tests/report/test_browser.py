"""The page in a real browser with the network cut: no request, no complaint, soon there, harmless, usable by keys."""

from pathlib import Path

import pytest
import synthetic_runs as runs

from weakspot import compare
from weakspot.report.html import offered, write_html
from weakspot.report.summary import summarise

CHROMIUM = Path("/usr/bin/chromium")
FLAGS = (
    "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync"
)
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not CHROMIUM.exists(), reason="needs Debian's chromium at /usr/bin/chromium"),
]


@pytest.fixture(scope="module")
def browser():
    from playwright.sync_api import sync_playwright

    with sync_playwright() as play:
        opened = play.chromium.launch(executable_path=str(CHROMIUM), args=FLAGS.split())
        yield opened
        opened.close()


class Visit:
    """A page opened with the network cut, and all that it asked for or complained about."""

    def __init__(self, browser, path, **options):
        self.context = browser.new_context(offline=True, **options)
        self.page = self.context.new_page()
        self.requests, self.complaints = [], []
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.on("console", lambda message: self.complaints.append(f"{message.type}: {message.text}"))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.address = path.as_uri()
        self.open()

    def open(self):
        """Load the page with the pictures near its top; returns the milliseconds until its content was there."""
        self.page.goto(self.address)
        self.page.wait_for_selector("body[data-drawn]")
        return self.page.evaluate("performance.getEntriesByType('navigation')[0].loadEventEnd")

    def draw(self, figure):
        """Scroll to a picture and wait until it is drawn."""
        place = self.page.locator(f'.chart[data-figure="{figure}"]')
        place.scroll_into_view_if_needed()
        place.locator(".main-svg").first.wait_for()
        return place


def write(folder, plan, table, status="warn"):
    path = folder / "report.html"
    write_html(path, summarise(plan, table, runs.doubts(status)), plan, runs.found(plan, table))
    return path


@pytest.fixture(scope="module")
def report(tmp_path_factory, plan, table):
    return write(tmp_path_factory.mktemp("report"), plan, table)


@pytest.fixture(scope="module")
def whole_report(tmp_path_factory, whole, whole_plan, whole_table):
    path = tmp_path_factory.mktemp("whole") / "report.html"
    write_html(path, whole, whole_plan, runs.found(whole_plan, whole_table.where(whole_table.sample < 300)))
    return path


@pytest.fixture(scope="module")
def visit(browser, report):
    opened = Visit(browser, report)
    yield opened
    opened.context.close()


def test_it_opens_without_a_request_or_a_complaint(visit):
    for figure in ("accuracy", "confusion-4", "attraction-4"):
        visit.draw(figure)
    assert visit.requests == [visit.address]
    assert visit.complaints == []


def test_it_opens_in_two_seconds(browser, tmp_path, report, whole_report):
    plan = runs.manifest([f"class {c}" for c in range(1000)], samples=10000)
    for path in (report, whole_report, write(tmp_path, plan, runs.rows(plan))):
        for _ in range(5):  # others use this machine as well: one quick visit shows what the page needs
            visit = Visit(browser, path)
            waited = visit.open()
            visit.context.close()
            if waited < 2000:
                break
        assert waited < 2000, path


def test_every_picture_can_be_chosen(visit, summary):
    names = [*summary["threats"], "robust"]
    for place, name in enumerate(names):
        visit.page.locator('select[data-choose="confusion"]').select_option(name)
        visit.draw(f"confusion-{place}")
        visit.draw(f"attraction-{place}")
        assert visit.page.locator(".choice:visible").count() == 2
    assert visit.page.locator('select[data-choose="attraction"]').input_value() == str(len(names) - 1)
    assert visit.complaints == []


def test_counts_in_the_matrix_are_the_summary_s(visit, summary):
    visit.page.locator('select[data-choose="confusion"]').select_option("robust")
    texts = visit.draw("confusion-4").locator(".heatmap-label").all_text_contents()
    counts = [str(n) for row in summary["robust"]["confusion"] for n in row if n]
    assert sorted(texts) == sorted(counts)


def test_a_click_on_a_cell_leads_to_its_images(visit):
    place = visit.draw("confusion-4")
    place.evaluate("place => place.emit('plotly_click', { points: [{ x: 5, y: 3 }] })")
    assert visit.page.evaluate("location.hash") == "#pair-3-5"
    assert visit.page.locator("#pair-3-5").is_visible()


def test_the_table_sorts_by_keyboard(visit):
    page = visit.page
    names = page.locator("#class-table tbody th a")
    page.locator("#class-table th button", has_text="clean").focus()
    page.keyboard.press("Enter")
    rates = page.locator("#class-table tbody td:nth-child(5)")
    shown = [float(text.split()[0]) for text in rates.all_text_contents()]
    assert shown == sorted(shown)
    page.keyboard.press("Enter")
    assert [float(text.split()[0]) for text in rates.all_text_contents()] == sorted(shown, reverse=True)
    page.locator("#class-table th button", has_text="class").click()
    assert names.all_text_contents() == list(runs.CIFAR)
    assert page.locator("#class-table th[aria-sort]").count() == 1


def test_a_deep_link_shows_its_class(visit):
    visit.page.goto(visit.address + "#class-frog")
    assert visit.page.locator("#class-frog").is_visible()
    assert visit.page.evaluate("document.querySelector(':target').id") == "class-frog"


def test_the_severity_is_chosen_by_keyboard(browser, whole, whole_report):
    visit = Visit(browser, whole_report)
    place = visit.draw("corruptions")

    def shown():
        return [int(text) for text in place.locator(".heatmap-label").all_text_contents()]

    def rounded(name):
        order = sorted(range(10), key=lambda c: whole["corrupted"]["classes"][c]["accuracy"])
        return [f"{100 * whole['threats'][f'{name}@5']['classes'][c]['accuracy']:.0f}" for c in order]

    means = shown()
    control = visit.page.locator("input[type=range]")
    control.focus()
    for _ in range(5):
        visit.page.keyboard.press("ArrowRight")
    assert control.evaluate("place => place.nextElementSibling.value") == "5"
    assert control.get_attribute("aria-valuetext") == "5"
    worst = shown()
    assert sum(worst) < sum(means)
    assert all(str(n) in rounded("fog") for n in worst[9 * 10 : 10 * 10])
    for figure in ("pairs", "accuracy"):
        visit.draw(figure)
    visit.page.locator('select[data-choose="confusion"]').select_option("fog@3")
    assert visit.page.locator(".choice:visible").count() == 2
    assert visit.requests == [visit.address]
    assert visit.complaints == []
    visit.context.close()


@pytest.mark.parametrize("width", [360, 1280])
def test_nothing_is_wider_than_the_screen(browser, whole, whole_report, width):
    visit = Visit(browser, whole_report, viewport={"width": width, "height": 800})
    robust = list(offered(whole)).index("robust")
    for figure in ("accuracy", f"confusion-{robust}", f"attraction-{robust}", "pairs", "corruptions"):
        visit.draw(figure)
    assert visit.page.evaluate("document.documentElement.scrollWidth") <= width
    visit.context.close()


def test_dark_readers_get_dark_pictures(browser, report):
    visit = Visit(browser, report, color_scheme="dark")
    place = visit.draw("accuracy")
    paper = visit.page.evaluate("getComputedStyle(document.body).backgroundColor")
    ink = place.locator(".ytick text").first.evaluate("text => getComputedStyle(text).fill")
    assert sum(brightness(ink)) - sum(brightness(paper)) > 450
    visit.page.emulate_media(color_scheme="light")
    place.locator(".ytick text[style*='fill: rgb(29, 33, 39)']").first.wait_for()
    assert visit.complaints == []
    visit.context.close()


def brightness(colour):
    return [float(part) for part in colour.removeprefix("rgb(").removesuffix(")").split(",")]


def test_hostile_names_are_shown_letter_by_letter(browser, tmp_path):
    plan = runs.manifest(runs.HOSTILE, samples=1400)
    visit = Visit(browser, write(tmp_path, plan, runs.rows(plan), "fail"))
    place = visit.draw("accuracy")
    ticks = set(place.locator(".ytick text").all_text_contents())
    assert "<script>document.t...</script>"[:18] in {tick[:18] for tick in ticks}
    assert "#1d2127" in ticks
    assert any(tick.startswith("<b>bold</b> &amp; ") for tick in ticks)
    visit.draw("confusion-4")
    visit.draw("attraction-4")
    assert visit.page.locator(".chart a").count() == 0
    assert "owned" not in visit.page.title()
    assert visit.requests == [visit.address]
    assert visit.complaints == []
    visit.context.close()


def test_a_script_that_got_in_would_not_run(browser, report, tmp_path):
    spoiled = tmp_path / "report.html"
    text = report.read_text(encoding="utf-8")
    harm = "<script>document.title = 'owned'</script><img src=x onerror=\"document.title = 'owned'\">"
    spoiled.write_text(text.replace("</main>", f"{harm}</main>"), encoding="utf-8")
    visit = Visit(browser, spoiled)
    assert "owned" not in visit.page.title()
    assert any("Content Security Policy" in complaint for complaint in visit.complaints)
    visit.context.close()


def test_it_is_whole_without_scripts(browser, report):
    visit = browser.new_context(java_script_enabled=False, offline=True)
    page = visit.new_page()
    page.goto(report.as_uri())
    assert page.locator("#class-table tbody tr").count() == 10
    assert "every number is in the tables" in page.locator("noscript").inner_text()
    visit.close()


def test_it_prints(browser, report):
    visit = Visit(browser, report, color_scheme="dark")
    visit.draw("accuracy")
    made = visit.page.pdf()
    assert made.startswith(b"%PDF")
    assert len(made) > 20_000
    visit.context.close()


@pytest.mark.parametrize("width", [360, 1280])
def test_a_comparison_opens_as_quietly(browser, tmp_path, width):
    plans = [runs.manifest(runs.HOSTILE, runs.QUICK[:1], 280, ["fog@1", "fog@5"]) for _ in range(2)]
    plans[1]["model"]["digest"] = "0" * 64
    folders = [
        runs.write(tmp_path / str(n), plan, runs.rows(plan, strength=0.36 - 0.1 * n)) for n, plan in enumerate(plans)
    ]
    page = compare(*folders, gates=["robust >= 0.9"]).report(tmp_path / "change.html")
    visit = Visit(browser, page, viewport={"width": width, "height": 800}, color_scheme="dark")
    for figure in ("change-0-0", "change-0-1", "change-0-2"):
        visit.draw(figure)
    assert "Gate failed" in visit.page.locator("[role=alert]").inner_text()
    assert visit.page.evaluate("document.documentElement.scrollWidth") <= width
    assert "owned" not in visit.page.title()
    assert visit.requests == [visit.address]
    assert visit.complaints == []
    visit.context.close()
