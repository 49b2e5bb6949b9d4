#!/usr/bin/env python3
"""Make docs/report.png, the README's picture, from a run's report.html by headless Chromium.

    tools/make_report_picture.py RUN [OUT.png]

Needs playwright (extra `dev`) and Debian's chromium.
"""

import sys
from io import BytesIO
from pathlib import Path

from PIL import Image
from playwright.sync_api import sync_playwright

CHROMIUM = "/usr/bin/chromium"
WIDTH, HEIGHT = 1100, 1225
COLOURS = 64


def main(run: Path, out: Path) -> None:
    """Write `out`."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu", "--no-first-run"]
        )
        page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT})
        page.goto((run / "report.html").resolve().as_uri(), wait_until="load")
        taken = page.screenshot()
        browser.close()
    Image.open(BytesIO(taken)).convert("RGB").quantize(COLOURS).save(out, optimize=True)
    print(f"{out}: {out.stat().st_size:,} bytes")


if __name__ == "__main__":
    ours = Path(__file__).parents[1] / "docs/report.png"
    main(Path(sys.argv[1]), Path(sys.argv[2]) if len(sys.argv) > 2 else ours)
