"""The runs of the study of the long tail, what decides the primary endpoints first (docs/studies/longtail-plan.md)."""

from collections.abc import Iterator, Mapping
from typing import Any

from weakspot.recipes import longtail_setting as small
from weakspot.recipes.study import Adjusted, Scale, Trained

Made = Trained | Adjusted
SEEDS = (1, 2, 3)
"""Not the 0 of the pilot's methods; its controls had these, of pgd-at and trades (the plan's correction)."""
FIRST = SEEDS[0]
RATIO = 50
"""The imbalance at which every method is run."""
OTHER_RATIOS = (100, 10)
ORDERS = (1, 2, 3)
DATA: Mapping[Scale, str] = {"cpu": small.DATA, "gpu": "cifar10", "gpu-wide": "cifar10", "gpu-100": "cifar100"}
LARGE: Mapping[str, Any] = {
    "model": "resnet18", "radius": "linf:8/255", "epochs": 80, "schedule": "robal", "batch": 64,
    "weight_decay": 2e-4, "average": 0.0, "validation": 0.0, "validation_steps": 5, "select": "last",
}  # fmt: skip
TRAINING: Mapping[Scale, Mapping[str, Any]] = {
    "cpu": small.TRAINING,
    "gpu": LARGE,
    "gpu-wide": {**LARGE, "model": "wrn-34-10"},
    "gpu-100": LARGE,
}
AUDIT: Mapping[Scale, Mapping[str, Any]] = {
    "cpu": small.AUDIT,
    **dict.fromkeys(("gpu", "gpu-wide", "gpu-100"), {**small.AUDIT, "radius": "linf:8/255", "limit": 10_000}),
}
LEADING: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "pgd-at": ("pgd-at", {}),
    "la": ("pgd-at", {"loss": "logit-adjustment"}),
    "at-bsl": ("at-bsl", {}),
    "robal-n": ("robal-n", {}),
    "robal-r": ("robal-r", {}),
    "trades": ("trades", {}),
}
"""Method and options of those with three seeds."""
ROBAL = ("robal-n", "robal-r")
"""They have settings of their own for CIFAR-100, named `robal-n-100` and `robal-r-100`."""
AT_ALL_RATIOS = ("pgd-at", "at-bsl", "robal-r", "robal-n", "trades")
ONCE: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "cosine-margin": ("pgd-at", {"loss": "cosine-margin"}),
    "cosine": ("pgd-at", {"loss": "cosine"}),
    "ldam": ("pgd-at", {"loss": "ldam"}),
    "ldam-drw": ("pgd-at", {"loss": "ldam(drw=True)"}),
    "cdt-train": ("pgd-at", {"loss": "cdt"}),
    "focal": ("pgd-at", {"loss": "focal"}),
    "class-balanced": ("pgd-at", {"loss": "class-balanced"}),
    "sampler": ("pgd-at", {"sampler": "class-aware"}),
    "tde": ("pgd-at", {"head": "tde", "adjust": "tde"}),
    "reat": ("reat", {}),
    "taet": ("taet", {}),
    "robust-lt": ("pgd-at", {"policy": "robust-lt"}),
}
TUNED: Mapping[str, Mapping[str, Any]] = {
    "rs-fine": {"tune": "head", "sampler": "class-aware"},
    "lws": {"tune": "head", "sampler": "class-aware", "head": "lws"},
    "rw-fine": {"loss": "class-balanced"},
}
"""One epoch more of plain adversarial training."""
POST_HOC: Mapping[str, str] = {"tau-norm": "tau-norm", "cdt": "cdt(tau=0.3)", "post-la": "logit-adjustment"}
PLANTED: Mapping[str, tuple[str, str]] = {
    "pgd-at-x10": ("pgd-at", "scale(by=10)"),
    "pgd-at-x0.1": ("pgd-at", "scale(by=0.1)"),
    "robal-r-x10": ("robal-r", "scale(by=10)"),
    "cosine-margin-x10": ("cosine-margin", "scale(by=10)"),
}
"""Models whose logits are multiplied: no decision differs."""
POLICIES: Mapping[str, str] = {
    "dafa": "dafa", "cfa": "cfa(fawa=False)", "frl": "frl", "wat": "wat", "fair-tat": "fair-tat(fawa=False)",
    "faal": "faal", "cfol": "cfol", "confusion": "confusion",
}  # fmt: skip
"""Over TRADES."""
OF_CIFAR100: Mapping[str, Mapping[str, Any]] = {"dafa": {"policy": "dafa(lam=1.5)"}}
"""What a method's paper sets otherwise there."""
SAMPLER_EPOCHS = 25 / 80
"""Of the run's epochs: those of the class-aware sampler are longer (arXiv:2104.02703)."""
PUBLISHED: Mapping[str, str] = {"focal": "robal-warm", "sampler": "robal-resampled"}
"""Schedules of their own at the large scale, as the source has them."""


def name_of(method: str, seed: int = FIRST, ratio: int = RATIO) -> str:
    """The name of a run."""
    return f"{method}-ir{ratio}-s{seed}"


def runs(scale: Scale) -> tuple[Made, ...]:
    """All of them, in the order of the plan."""
    once = tuple(trained(scale, name, *how) for name, how in ONCE.items())
    planted = tuple(adjusted(scale, name, *how) for name, how in PLANTED.items())
    early = [each for each in planted if each.base in {name_of(name) for name in LEADING}]
    return (
        *leading(scale),
        *(adjusted(scale, name, "pgd-at", adjustment) for name, adjustment in POST_HOC.items()),
        *early,
        *(trained(scale, f"pgd-at-order{order}", "pgd-at", {}, part=f"+lt_order={order}") for order in ORDERS),
        *once,
        *(each for each in planted if each not in early),
        *(tuned(scale, name, options) for name, options in TUNED.items()),
        *policies(scale),
        *others(scale),
    )


def leading(scale: Scale) -> Iterator[Trained]:
    """The primary endpoint's methods and the balanced control, seed by seed."""
    for seed in SEEDS:
        for name, how in LEADING.items():
            yield trained(scale, name, *how, seed=seed)
        yield trained(scale, "balanced", "pgd-at", {}, seed=seed, balanced=True)


def policies(scale: Scale) -> Iterator[Trained]:
    """Class-fair policies over TRADES; where nothing is held out else, they and their baseline hold out a tenth."""
    held = {"validation": 0.1} if scale != "cpu" else {}
    if held:
        yield trained(scale, policy_base(scale), "trades", held)
    for name, policy in POLICIES.items():
        yield trained(scale, name, "trades", {"policy": policy, **held})


def policy_base(scale: Scale) -> str:
    """The method that policies are compared with."""
    return "trades" if scale == "cpu" else "trades-held"


def others(scale: Scale) -> Iterator[Trained]:
    """The other imbalances, seed by seed."""
    for ratio in OTHER_RATIOS:
        for seed in SEEDS:
            for name in AT_ALL_RATIOS:
                yield trained(scale, name, *LEADING[name], seed=seed, ratio=ratio)


def trained(
    scale: Scale,
    name: str,
    method: str,
    options: Mapping[str, Any],
    *,
    seed: int = FIRST,
    ratio: int = RATIO,
    balanced: bool = False,
    part: str = "",
) -> Trained:
    """A training with its audit; at the small scale all attack by as many steps, but TAET, whose steps are small."""
    if DATA[scale] == "cifar100":
        method = f"{method}-100" if method in ROBAL else method
        options = {**options, **OF_CIFAR100.get(name, {})}
    training = {**TRAINING[scale], **options, "seed": seed}
    if options.get("sampler") == "class-aware":
        training["epochs"] = max(1, round(SAMPLER_EPOCHS * training["epochs"]))
    if scale != "cpu" and name in PUBLISHED:
        training["schedule"] = PUBLISHED[name]
    return Trained(
        name=name_of(name, seed, ratio),
        method=f"{method}(steps={small.STEPS})" if scale == "cpu" and method != "taet" else method,
        data=DATA[scale],
        training=training,
        audit=AUDIT[scale],
        part=f"+lt={'balanced:' if balanced else ''}{ratio}{part}",
    )


def tuned(scale: Scale, name: str, options: Mapping[str, Any]) -> Trained:
    """An epoch more of the baseline's model, at a constant rate and without averaging, as the source has it."""
    once = {"epochs": 1, "schedule": "constant", "average": 0.0}
    training = {**TRAINING[scale], **once, **options, "seed": FIRST}
    return Trained(
        name=name_of(name),
        method=f"pgd-at(steps={small.STEPS})" if scale == "cpu" else "pgd-at",
        data=DATA[scale],
        training=training,
        audit=AUDIT[scale],
        part=f"+lt={RATIO}",
        base=name_of("pgd-at"),
    )


def adjusted(scale: Scale, name: str, base: str, adjustment: str) -> Adjusted:
    """A run's model with another inference adjustment."""
    return Adjusted(name_of(name), name_of(base), adjustment, DATA[scale], AUDIT[scale])
