"""Which models the class-wise studies train (docs/studies/classwise-plan.md, classwise-small-plan.md)."""

from weakspot.recipes.classwise_runs import COMMON, STEPS, Kind, Plan

SETTING = (
    "CIFAR-10 at linf:8/255, Fashion-MNIST at linf:0.1, 14,886 images, equally many of each class; attacks in training "
    f"of {STEPS} steps, batch 128, one-cycle to 0.1."
)
EPOCHS = {"cifar10": {**COMMON, "epochs": 10}, "fashion-mnist": {**COMMON, "epochs": 6, "flip": False}}

WIDE = Plan(
    "classwise",
    "Class-wise robustness",
    {
        "resnet-pgd-at": Kind("resnet18-w16", "pgd-at"),
        "resnet-trades": Kind("resnet18-w16", "trades"),
        "preact-pgd-at": Kind("preact-resnet18-w16", "pgd-at", once=True),
        "preact-n-fgsm": Kind("preact-resnet18-w16", "n-fgsm"),
        "cnn-pgd-at": Kind("cnn", "pgd-at"),
        "cnn-trades": Kind("cnn", "trades"),
        "resnet-standard": Kind("resnet18-w16", "standard", once=True),
        "wrn-pgd-at": Kind("wrn-34-10", "pgd-at", once=True, large=True),
        "wrn-trades": Kind("wrn-34-10", "trades", once=True, large=True),
    },
    seeds=(1, 2),
    training={
        "cpu": EPOCHS,
        "gpu": {
            "cifar10": {**COMMON, "epochs": 110, "schedule": "step"},
            "fashion-mnist": {**COMMON, "epochs": 30, "flip": False},
        },
        "gpu-100": {"cifar100": {**COMMON, "epochs": 110, "schedule": "step"}},
    },
    precision="bf16",
    says={
        "cpu": f"Networks of 16 channels and `cnn`; {SETTING}",
        "gpu": "Networks as wide as published, a WRN-34-10 and `cnn`; CIFAR-10 at linf:8/255, Fashion-MNIST at "
        "linf:0.1, all images.",
        "gpu-100": "Networks as wide as published, a WRN-34-10 and `cnn`; CIFAR-100 at linf:8/255, all images.",
    },
)
"""Not the pilot's seed 0, whose results were known when the study was planned."""

SMALL = Plan(
    "classwise-small",
    "Class-wise robustness again, small models and two seeds",
    {
        "small-pgd-at": Kind("small-cnn-bn", "pgd-at"),
        "small-trades": Kind("small-cnn-bn", "trades"),
        "small-n-fgsm": Kind("small-cnn-bn", "n-fgsm"),
        "cnn-trades": Kind("cnn", "trades"),
        "resnet-n-fgsm": Kind("resnet18-w8", "n-fgsm"),
        "small-standard": Kind("small-cnn-bn", "standard"),
        "small-spat": Kind("small-cnn-bn", "spat"),
    },
    seeds=(3, 4),
    training={"cpu": EPOCHS},
    precision="fp32",
    says={"cpu": f"`small-cnn-bn`, `cnn` and a ResNet-18 of 8 channels; {SETTING}"},
)
"""For CPUs without bfloat16; seeds that nothing had when it was planned."""
