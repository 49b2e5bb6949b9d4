"""Two classes: form A is not measured and is shown as undefined, with one sentence."""

import json

import torch
from torch import nn

import weakspot
from weakspot.rng import uniform


def test_form_a_is_undefined(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    images = uniform((1, 4, 4), torch.arange(24), 0, "two classes") * 0.6 + 0.2
    net = nn.Sequential(nn.Flatten(), nn.Linear(16, 2))
    with torch.no_grad():
        net[1].weight.copy_(torch.linspace(-1, 1, 32).view(2, 16).sin())
    made = weakspot.explain(
        net, (images, torch.arange(24) % 2), radius="linf:0.05", images=4, steps=5, pairs=["gradient,random"], out="two"
    )
    assert set(made.rows()["form"].tolist()) == {"raw", "B"}
    found = json.loads((made.folder / "explain.json").read_text())["models"][0]
    assert found["psi"]["A"] is found["convergence"]["A"] is None
    assert found["proof"]["change"]["A"] is found["proof"]["found"]["A"] is None
    assert found["psi"]["B"]["overall"]["psi"]["value"] > 0
    assert [line for line in found["notes"] if "form A" in line.replace("Form A", "form A")] == found["notes"][:1]
    assert found["notes"][0].startswith("With two classes form A")
    page = made.page.read_text()
    assert "at most 3.6e-15 nats" in page
    assert page.count("With two classes form A") == 1
    assert "form A (direction only)" not in (made.folder / "figures" / "psi.svg").read_text()
    assert "form B (one temperature)" in (made.folder / "figures" / "psi.svg").read_text()
