"""A run made of predictions that another tool saved: its report, comparison and gates are those of an audit.

Nothing is computed from a model, which need not be here; what saved predictions do not say (distances, images, and
margins where only classes were saved) is missing from the rows. The run says so in its doubts.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import torch

from weakspot import auditing
from weakspot.addresses import Radius, ThreatAddress, slug
from weakspot.contracts import Data, Kind
from weakspot.data import limit as first_of
from weakspot.data import load as load_data
from weakspot.doubts.finding import Finding
from weakspot.errors import InputError
from weakspot.outcomes import Outcomes
from weakspot.run import Run
from weakspot.store import write_json, write_unit
from weakspot.threats.archive import digest_of
from weakspot.threats.corruptions import CORRUPTIONS
from weakspot.threats.predictions import IMPORTED, import_clean, import_predictions

CLEAN = "clean"

UNMEASURED = Finding(
    check=IMPORTED,
    status="warn",
    figure=None,
    threshold=None,
    says="These predictions were saved by another tool: no image was looked at here, so that neither the radius nor "
    "the attack's strength was checked. Where its images exist, audit them with --threats 'stored(path=FILE)'.",
)


@dataclass(frozen=True)
class Imported:
    """A threat that was carried out elsewhere; the manifest describes it like any other."""

    address: ThreatAddress
    kind: Kind
    radius: Radius | None = None
    severity: int = 0

    def described(self) -> dict[str, Any]:
        """As `auditing.describe` does it."""
        radius = None if self.radius is None else str(self.radius)
        return {"address": str(self.address), "kind": self.kind, "radius": radius, "comparable": True}

    @classmethod
    def of(cls, address: str) -> "Imported":
        """Read `clean`, `NAME@RADIUS` (an attack, known here or not) or `NAME@SEVERITY` (a corruption).

        Raises:
            InputError: it is none of these.

        """
        parts = ThreatAddress.of(address)
        if parts == ThreatAddress(CLEAN):
            return cls(parts, "clean")
        if parts.place is None:
            raise InputError(
                f"saved predictions are of clean, NAME@RADIUS or NAME@SEVERITY, such as autoattack@linf:8/255 or "
                f"fog@3, got {address!r}"
            )
        if parts.place.isdigit():
            if not 1 <= int(parts.place) <= 5:
                raise InputError(f"a corruption has a severity from 1 to 5, got {address!r}")
            return cls(parts, "corruption", severity=int(parts.place))
        if parts.name in CORRUPTIONS:
            raise InputError(f"a corruption has a severity from 1 to 5, such as {parts.name}@3, got {address!r}")
        radius = Radius.of(parts.place)
        return cls(ThreatAddress(parts.name, parts.options, str(radius)), "adversarial", radius)


def import_run(
    predictions: Mapping[str, str | Path],
    data: Any,
    *,
    name: str = IMPORTED,
    limit: int | None = None,
    out: str | Path | None = None,
    offline: bool = False,
) -> Run:
    """Make a run of saved predictions, and write its report.

    Args:
        predictions: By the threat's address ("clean" must be there, "autoattack@linf:8/255", "fog@3", ...) an `.npz`
            archive, or a folder of them, with `prediction` (n,) or `logits` (n, classes), and optionally `sample`
            (n,), the positions in the split (0, 1, 2, ... else), and `label` (n,), which is compared with the data's.
        data: What was predicted, as for `audit`; it brings labels and class names.
        name: What the model is called in the report.
        limit: Only the first N samples of the data, all of which every archive must hold.
        out: The run folder; by default one under `runs/` whose name follows from data and predictions.
        offline: Touch no network.

    Raises:
        InputError: a wrong address, a damaged archive, one that was made from other data or does not hold every
            sample once, or a folder that holds another run.

    """
    threats = [Imported.of(address) for address in predictions]
    files = dict(zip((str(threat.address) for threat in threats), map(Path, predictions.values()), strict=True))
    if CLEAN not in files:
        raise InputError(f"the predictions on clean images are needed as well, got {', '.join(files) or 'nothing'}")
    read = load_data(data, split="test", offline=offline)
    read = read if limit is None else first_of(read, limit)
    digests = {address: digest_of(path) for address, path in files.items()}
    made = sha256("\0".join(f"{address} {digests[address]}" for address in sorted(digests)).encode()).hexdigest()
    model = {"address": name, "weights": None, "class": name, "digest": made, "parameters": None}
    ordered = sorted(threats, key=lambda threat: threat.kind != "clean")
    described = [threat.described() for threat in ordered]
    config = {"model": name, "data": read.name, "limit": limit, "predictions": digests}
    manifest = auditing.plan(model, read, described, config, 0, max(len(read), 1), torch.device("cpu"))
    folder = Path(out) if out is not None else Path("runs") / slug(f"{name}-{read.name}-{made[:8]}").lower()
    rows = _rows(files, ordered, read)  # all of it is read before anything is written
    auditing.open_run(folder, manifest)
    for unit in manifest["units"]:
        write_unit(folder / unit["file"], rows[unit["threat"]])
    write_json(folder / "doubts.json", [asdict(UNMEASURED)])
    run = Run(folder)
    run.report()
    return run


def _rows(files: Mapping[str, Path], threats: list[Imported], data: Data) -> dict[str, Outcomes]:
    """Each threat's rows, in the data's order."""
    labels, classes = data.labels.numpy(), len(data.classes)
    clean = _every_sample(import_clean(files[CLEAN], labels, classes), len(data), files[CLEAN])
    rows = {CLEAN: clean}
    for threat in threats[1:]:
        address = str(threat.address)
        found = import_predictions(files[address], clean, address, classes, threat.kind, threat.severity)
        rows[address] = _every_sample(found, len(data), files[address])
    return rows


def _every_sample(rows: Outcomes, samples: int, path: Path) -> Outcomes:
    if len(rows) != samples:
        raise InputError(
            f"{path} holds predictions of {len(rows)} samples, the data have {samples}; "
            "give --limit N if they are of the first N"
        )
    return rows.where(np.argsort(rows.sample, kind="stable"))
