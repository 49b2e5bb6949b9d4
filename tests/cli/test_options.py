"""The command line says what the Python functions say: same options, same defaults."""

import inspect
import re
import typing
from pathlib import Path

import pytest

from weakspot import api
from weakspot.addresses import Radius
from weakspot.cli import audit, doctor, explain, train
from weakspot.cli.entry import VERBS
from weakspot.models.heads import HEADS
from weakspot.threats import PRESETS
from weakspot.training.objectives import objective_of
from weakspot.training.options import Select
from weakspot.training.schedules import Schedule

OURS = {"output", "config", "dry_run", "full"}
"""What belongs to the command line alone, or is off in both."""
PYTHON = {"tell", "remark", "flip"}
"""What Python alone has, or says the other way round."""


def parameters(function) -> dict[str, inspect.Parameter]:
    return dict(inspect.signature(function).parameters)


@pytest.mark.parametrize(
    "command, function",
    [(audit.audit, api.audit), (doctor.doctor, api.doctor), (explain.explain, api.explain), (train.train, api.train)],
)
def test_same_options_and_defaults(command, function) -> None:
    shown, behind = parameters(command), parameters(function)
    extra = {"no_flip", "offline"} if command is train.train else set()
    assert shown.keys() - OURS - extra == behind.keys() - PYTHON - {"full"}
    for name in shown.keys() & behind.keys():
        if shown[name].default not in (None, (), inspect.Parameter.empty) and name != "data":
            assert shown[name].default == behind[name].default, name


@pytest.mark.parametrize("name, kind", [("schedule", Schedule), ("select", Select)])
def test_train_offers_every_choice(name, kind) -> None:
    offered = typing.get_args(typing.get_args(parameters(train.train)[name].annotation)[0])
    assert [choice for choice in offered if choice != "auto"] == list(typing.get_args(kind))


def test_help_names_every_head() -> None:
    """They may have options in brackets, so they are words and no choice."""
    described = re.search(r"The last layer: ([^.;]*)", " ".join((train.train.__doc__ or "").split()))
    assert described is not None
    assert set(re.findall(r"\w+", described[1])) >= set(HEADS)


def test_every_option_is_described() -> None:
    for command in (audit.audit, doctor.doctor, explain.explain, train.train):
        for name in parameters(command):
            assert f"    {name}\n        " in (command.__doc__ or ""), name


def test_help_names_every_preset_and_only_methods_that_exist() -> None:
    described = " ".join((audit.audit.__doc__ or "").split())
    for preset in PRESETS:
        assert re.search(rf"A named list of attacks: [^.]*\b{preset}\b", described), preset
    methods = re.search(r"How to train: (.*?), \.\.\.", " ".join((train.train.__doc__ or "").split()))
    assert methods is not None
    for name in methods[1].split(", "):
        objective_of(name)


def test_examples_in_help_parse(monkeypatch) -> None:
    """Each example reaches its command: its words and options are known."""
    import shlex

    from weakspot.cli.entry import command_line

    for verb in VERBS.values():
        for example in verb.examples:
            command, bound, ignored = command_line().parse_args(
                shlex.split(example)[1:], exit_on_error=False, print_error=False
            )
            assert callable(command)
            assert bound.arguments or example in ("weakspot audit", "weakspot data list", "weakspot reproduce")


def test_radius_addresses_reach_the_plan_as_given(tmp_path: Path) -> None:
    prepared = api.prepare(
        lambda images: images.mean((2, 3)).repeat(1, 10),
        radius=["linf:8/255", Radius.of("l2:0.5")],
        limit=10,
        out=tmp_path,
    )
    assert prepared.config.radius == ("linf:8/255", "l2:0.5")
    assert list(tmp_path.iterdir()) == []
