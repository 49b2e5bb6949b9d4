"""What the tests of recipes share: steps that are planned as they will be called, and neither trained nor attacked."""

import sys
from typing import NamedTuple

import pytest

import weakspot
from weakspot.planning import Prepared, prepare
from weakspot.store import write_text
from weakspot.training.folder import export
from weakspot.training.options import TrainConfig


class Planned(NamedTuple):
    """In the order of the calls: what would have been trained, and what would have been audited."""

    begun: list[TrainConfig]
    audits: list[Prepared]


@pytest.fixture
def planned(monkeypatch):
    """Options are what may be wrong: each is resolved and refused as ever, then the run counts as finished."""
    found = Planned([], [])

    def fit(run, log):
        found.begun.append(run.config)
        export(run.final, run.spec, run.folder)

    def audit(model, data, out, tell=None, **options):
        found.audits.append(prepare(model, data, out=out, **options))
        write_text(out / "summary.json", "{}")

    monkeypatch.setattr(sys.modules["weakspot.training.train"], "fit", fit)
    monkeypatch.setattr(weakspot, "audit", audit, raising=False)
    return found
