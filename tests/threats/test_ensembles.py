"""The ensembles: parts in their order, nobody starved, and who is credited for what."""

import pytest
import torch

from weakspot.maths.balls import distance
from weakspot.maths.losses import margin
from weakspot.rng import uniform
from weakspot.threats import parse_threat, standard
from weakspot.threats.autoattack import AutoAttack
from weakspot.threats.measure import measure, tolerance
from weakspot.threats.search import Oracle, Search
from weakspot.threats.square import Square, share_of_pixels
from weakspot.threats.standard import Sentinel, Stage, Standard, hardest, lowest_part, random_part, turns


class Small(torch.nn.Module):
    def __init__(self, classes: int):
        super().__init__()
        generator = torch.Generator().manual_seed(classes)
        self.first = torch.nn.Parameter(torch.randn(36, 16, generator=generator) / 3)
        self.second = torch.nn.Parameter(torch.randn(16, classes, generator=generator))

    def forward(self, images):
        return torch.tanh((images - 0.5).flatten(1) @ self.first) @ self.second


def block(classes: int, samples: int = 12):
    model = Small(classes).requires_grad_(False)
    sample = torch.arange(samples)
    images = uniform((1, 6, 6), sample, 0, "images")
    labels = model(images).argmax(1)
    labels[0] = (labels[0] + 1) % classes
    return model, images, labels, sample


def test_autoattack_is_the_references():
    parts = AutoAttack(radius="linf:8/255").parts()
    assert [part.name for part in parts] == ["apgd-ce", "apgd-t", "fab-t", "square"]
    assert (parts[0].steps, parts[0].restarts) == (100, 1)
    assert (parts[1].steps, parts[1].targets) == (100, 9)
    assert (parts[2].steps, parts[2].targets) == (100, 9)
    assert (parts[3].queries, parts[3].first) == (5000, 0.8)


def test_squares_shrink_as_published():
    asked = [0, 10, 11, 50, 51, 200, 201, 500, 501, 1000, 1001, 2000, 2001, 4000, 4001, 4999]
    expected = [0.8, 0.8, 0.4, 0.4, 0.2, 0.2, 0.1, 0.1, 0.05, 0.05, 0.025, 0.025, 0.0125, 0.0125, 0.00625, 0.00625]
    assert [share_of_pixels(query, 0.8) for query in asked] == expected


@pytest.mark.parametrize(
    ("name", "classes"), [("standard", 2), ("standard", 3), ("standard", 12), ("autoattack", 2), ("autoattack", 3)]
)
def test_any_number_of_classes_end_to_end(name, classes):
    model, images, labels, sample = block(classes)
    threat = parse_threat(f"{name}@linf:0.03")
    rows, attacked = measure(model, threat, f"{name}@linf:0.03", images, labels, sample, 0)
    assert (distance(attacked - images, "linf") <= tolerance(0.03)).all()
    assert rows.found_by[0] == "clean"
    assert "refused" not in rows.found_by
    parts = {part.name for part in threat.parts()}
    for found, correct in zip(rows.found_by[1:], rows.correct[1:], strict=True):
        assert (found == "") == correct
        assert found == "" or found.split(":")[0] in parts | {"sentinel", "widened"}


def test_an_ensemble_is_never_weaker_than_its_first_part():
    model, images, labels, sample = block(4, samples=8)
    alone = parse_threat("apgd-ce@linf:0.05")(model, images, labels, sample, 0)
    whole = parse_threat("autoattack@linf:0.05")(model, images, labels, sample, 0)
    assert (margin(model(whole), labels) <= margin(model(alone), labels)).all()


def test_turns_serve_every_class_in_every_round():
    labels = torch.tensor([0] * 7 + [1] * 3 + [2] * 5)
    keys = uniform((1,), torch.arange(15), 0, "keys")[:, 0]
    places = turns(labels, keys)
    assert sorted(places.tolist()) == list(range(15))
    order = places.argsort()
    assert set(labels[order[:3]].tolist()) == {0, 1, 2}
    assert set(labels[order[3:6]].tolist()) == {0, 1, 2}
    for label in range(3):  # within a class the keys decide
        mine = order[labels[order] == label]
        assert keys[mine].tolist() == sorted(keys[mine].tolist())


def test_the_random_part_depends_on_sample_numbers_alone():
    labels, sample = torch.arange(100) % 10, torch.arange(500, 600)
    drawn = random_part(labels, sample, 3)
    assert int(drawn.sum()) == 5
    order = torch.randperm(100, generator=torch.Generator().manual_seed(0))
    assert torch.equal(random_part(labels[order], sample[order], 3), drawn[order])
    assert int(lowest_part(labels, torch.arange(100.0)).sum()) == 5


def test_pruning_works_within_classes():
    model, images, labels, sample = block(4, samples=40)
    search = Search(model, images, labels, sample, 0)
    rows = search.alive()
    kept = hardest(search, rows, 0.3)
    for label in torch.unique(labels[rows]):
        mine, held = rows[labels[rows] == label], kept[labels[kept] == label]
        assert len(held) == -(-3 * len(mine) // 10)
        left = [i for i in mine.tolist() if i not in held.tolist()]
        assert not left or search.lowest[held].max() <= search.lowest[left].min()


class Staircase(torch.nn.Module):
    """Rounds its input to ten levels: almost everywhere the gradient is 0, but squares find the way."""

    def __init__(self):
        super().__init__()
        self.inner = Small(4).requires_grad_(False)

    def forward(self, images):
        return self.inner((images * 10).round() / 10) + 0 * images.sum()


def test_the_sentinel_notices_a_masked_gradient_and_widens():
    model = Staircase()
    sample = torch.arange(30)
    images = uniform((1, 6, 6), sample, 0, "images")
    labels = model(images).argmax(1)
    blind = [part for part in Standard(radius="linf:0.1").parts() if not isinstance(part, Sentinel)]
    assert all(isinstance(part, Stage) for part in blind)
    search = Search(model, images, labels, sample, 0)
    for part in blind:
        part.run(search, search.alive())
    missed = len(search.alive())
    rows, _ = measure(model, parse_threat("standard@linf:0.1"), "standard@linf:0.1", images, labels, sample, 0)
    assert any(found.startswith("sentinel:") for found in rows.found_by)
    assert any(found.startswith("widened:") for found in rows.found_by)
    square, _ = measure(model, Square(radius="linf:0.1"), "square@linf:0.1", images, labels, sample, 0)
    assert rows.correct.sum() < missed
    assert rows.correct.sum() <= square.correct.sum()


class Honest(Small):
    """Linear, with a wide margin: nothing can break it at this radius, whatever is tried."""

    def forward(self, images):
        first = (images.flatten(1).mean(1) - 0.5) * 100
        return torch.stack([first, -first], 1)


def test_the_sentinel_stays_small_where_there_is_nothing_to_find():
    model, sample = Honest(2), torch.arange(40)
    images = uniform((1, 6, 6), sample, 0, "images") * 0.2 + (sample % 2).view(-1, 1, 1, 1) * 0.8
    labels = model(images).argmax(1)
    rows, _ = measure(model, parse_threat("standard@linf:0.01"), "standard@linf:0.01", images, labels, sample, 0)
    assert rows.correct.all()
    assert (rows.forwards > 1500).sum() <= 4  # 5 % at random and 5 % with the lowest margins met the squares


class Hidden(Honest):
    """The same without a gradient: squares lower its margins by a quarter and break nothing."""

    def forward(self, images):
        return super().forward(images.detach()) + 0 * images.sum()


def test_the_sentinel_widens_where_a_probe_only_comes_nearer_than_all_gradients():
    model, sample = Hidden(2), torch.arange(40)
    images = uniform((1, 6, 6), sample, 0, "images") * 0.2 + (sample % 2).view(-1, 1, 1, 1) * 0.8
    labels = model(images).argmax(1)
    rows, _ = measure(model, parse_threat("standard@linf:0.1"), "standard@linf:0.1", images, labels, sample, 0)
    assert rows.correct.all()
    assert (rows.forwards > 500).all()
    assert (rows.forwards > 5000).sum() == 12  # the hardest 30 % of each class
    assert (rows.forwards > 9500).sum() == 4  # the hardest 10 %: three turns of gradients and squares


class Behind(torch.nn.Module):
    """A gradient that shows only where the left half is bright, towards a chessboard in the right half.

    No gradient leads to the first, hardly any square to the second: each has to go on where the other one stopped.
    """

    def forward(self, images):
        left, right = ((images - 0.5) / 0.1).chunk(2, dim=3)
        chess = 1.0 - 2 * (torch.arange(32)[:, None] + torch.arange(16)).remainder(2)
        bright = left.detach().mean((1, 2, 3))
        margin = 1 - 0.3 * bright - 0.9 * (right * chess).mean((1, 2, 3)) * (bright > 0.8)
        return torch.stack([margin, -margin], dim=1)


def test_gradients_go_on_where_random_search_stopped(monkeypatch):
    sample = torch.arange(6)
    images, labels = torch.full((6, 1, 32, 32), 0.5), torch.zeros(6, dtype=torch.int64)

    def broken():
        rows, _ = measure(Behind(), parse_threat("standard@linf:0.1"), "s", images, labels, sample, 0)
        return int((~rows.correct).sum())

    assert broken() == 6  # where the hardest is broken, the next one takes its place
    monkeypatch.setattr(standard, "TURNS", 0)
    assert broken() == 0


def test_square_near_starts_from_the_lowest_point():
    model, images, labels, sample = block(4, samples=50)
    search = Search(Oracle(model, len(images)), images, labels, sample, 0)
    rows = torch.arange(len(images))
    Square(radius="linf:0.03", queries=30).run(search, rows)
    left, before = search.alive(rows), search.best.clone()
    assert len(left) > 10
    asked = []
    search.oracle.model = lambda x: asked.append(x) or model(x)
    Square(radius="linf:0.03", queries=1, near=True).run(search, left)
    assert torch.equal(asked[0], before[left])


def test_another_run_of_square_draws_anew_and_finds_its_own():
    model, images, labels, sample = block(4, samples=200)
    found = [
        measure(model, Square(radius="linf:0.03", queries=30, restart=at), "s", images, labels, sample, 0)[0].margin
        for at in (0, 1, 1)
    ]
    assert (found[1] == found[2]).all()
    assert (found[0] != found[1]).mean() > 0.5
