"""What every page is made of: templates, the scripts and the policy that forbids every request.

Plotly travels compressed (2 MB instead of 4.8) and is unpacked by the browser after the tables are there. Scripts run
only if their SHA-256 stands in the policy, so nothing that a class name smuggles in would ever run.
"""

import base64
import gzip
import hashlib
import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from plotly.offline import get_plotlyjs

from weakspot.report.figures import DARK
from weakspot.report.terms import TERMS, check_name
from weakspot.report.words import amount, between, chances, duration, percent, points, printable

TEMPLATES = Path(__file__).with_name("templates")


def render(template: str, drawings: Mapping[str, Any], content: Mapping[str, Any]) -> str:
    """A whole page.

    Args:
        template: Its file among the templates.
        drawings: The figures by the element that they fill, in the light palette.
        content: What the template shows besides.

    """
    library, packed = _library()
    script = (TEMPLATES / "report.js").read_text(encoding="utf-8")
    fixed = {
        "policy": _policy([script, library]),
        "style": Markup((TEMPLATES / "report.css").read_text(encoding="utf-8")),
        "script": Markup(script),
        "library": Markup(packed),
        "drawings": Markup(_embedded({"figures": drawings, "dark": DARK})),
    }
    return _environment().get_template(template).render({**content, **fixed})


@cache
def _environment() -> Environment:
    """Templates with autoescape on, and the filters that write numbers."""
    made = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {
        "percent": percent,
        "amount": amount,
        "duration": duration,
        "printable": printable,
        "points": points,
        "chances": chances,
        "plain_json": lambda value: json.dumps(value, ensure_ascii=False, default=str),
    }
    made.filters["check_name"] = check_name
    made.globals |= {"between": between, "terms": TERMS}
    return made


def _policy(scripts: list[str]) -> str:
    """The content security policy: no request at all, and only these inline scripts."""
    digests = [base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in scripts]
    allowed = " ".join(f"'sha256-{digest}'" for digest in digests)
    # Plotly writes style attributes, and an interval strip is placed by one.
    return (
        f"default-src 'none'; script-src {allowed}; style-src 'unsafe-inline'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )


@cache
def _library() -> tuple[str, str]:
    """Plotly's script, and the same as gzip in base64 (the same bytes each time)."""
    text = get_plotlyjs()
    return text, base64.b64encode(gzip.compress(text.encode(), 9, mtime=0)).decode()


def _embedded(content: Any) -> str:
    """JSON that cannot end the element it stands in, whatever its strings hold."""
    text = json.dumps(content, allow_nan=False, separators=(",", ":"))
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")
