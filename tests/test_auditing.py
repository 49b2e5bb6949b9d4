"""How an audit goes through its blocks."""

from pathlib import Path

import torch

from weakspot import auditing
from weakspot.data import load
from weakspot.threats import parse_threat, threat_address


def test_the_clean_images_of_a_block_are_evaluated_once_for_all_threats(tmp_path: Path) -> None:
    asked: list[int] = []

    def model(images: torch.Tensor) -> torch.Tensor:
        asked.append(len(images))
        return images.mean((2, 3))

    data = load((torch.rand(12, 3, 8, 8), torch.arange(12) % 3))
    threats = [parse_threat(f"contrast@{severity}") for severity in (1, 2, 3)]
    units = auditing.plan_units([threat_address(threat) for threat in threats], len(data), 6, {})
    auditing.run_units(model, data, threats, units, tmp_path, 0, torch.device("cpu"), lambda _: None)
    assert asked == [6] * 8
    assert all((tmp_path / unit.file).exists() for unit in units)
