"""One epoch of PGD-AT, TRADES, SPAT and RoBal against a plain float32 loop: images per second, side by side in one run.

    python benchmarks/training.py [--data ADDRESS] [--model resnet18-w16] [--limit 2048] [--rounds 3] [--threads N]

The opponent is written from the papers' descriptions as their authors' code has it: float32, the usual memory layout,
images from a DataLoader that crops and flips one by one, an inner maximisation that gathers gradients for parameters as
well, no averaging. Ours is `weakspot.training.loop`, bf16 and channels-last (the loop's own layout on a GPU; on a CPU
the module is handed over in it), with averaging, the finiteness check and without validation. Both start from the same
weights, take the same number of steps of the same batch size and attack by as many inner steps. The rounds alternate;
the median counts, the first round of each side is left out. Accuracy after equal epochs is a matter of runs, not of
this file. The table goes to benchmarks/results/training.md and .csv.
"""

import argparse
import csv
import os
import platform
import statistics
import tempfile
import time
from collections.abc import Callable
from contextlib import nullcontext
from copy import deepcopy
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from weakspot import load_data
from weakspot.addresses import Radius
from weakspot.contracts import Data
from weakspot.data.arrays import ArrayData
from weakspot.models import ModelSpec
from weakspot.training.epoch import train_epoch
from weakspot.training.history import Live
from weakspot.training.objectives import method_of, objective_of
from weakspot.training.options import TrainConfig
from weakspot.training.policies import policy_of
from weakspot.training.prepare import prepare
from weakspot.training.run import Run

RESULTS = Path(__file__).parent / "results"
KEY = ("model", "precision", "method")
STEPS = 10
"""Of the attack."""
METHODS = {"pgd-at": "pgd-at", "trades": "trades", "spat": "spat", "robal": "robal-n"}
"""Our addresses."""


class Augmented(Dataset):
    """Images one by one, cropped after padding by 4 and flipped, as torchvision's transforms do."""

    def __init__(self, data: Data) -> None:
        self.images, self.labels = data.batch(range(len(data))), data.labels

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, i: int) -> tuple[Tensor, int]:
        image = F.pad(self.images[i], (4, 4, 4, 4))
        size = self.images.shape[-1]
        top, left = torch.randint(9, (2,)).tolist()
        image = image[:, top : top + size, left : left + size]
        return (image.flip(2) if torch.rand(()) < 0.5 else image), int(self.labels[i])


def spat_terms(clean: Tensor, attacked: Tensor) -> Tensor:
    """SPAT's consistency of each sample, with s = 8 and n = 0.2."""
    p, q = (8 * clean).softmax(1), (8 * attacked).softmax(1)
    k = p * (p.log() - q.log())
    return (k * (k + 0.2)).sum(1)


def inner_loss(method: str, model: nn.Module, x: Tensor, at: Tensor, y: Tensor) -> Tensor:
    """What the authors' attacks climb; TRADES and SPAT pass the clean images through the model at each step."""
    if method in ("pgd-at", "robal"):
        return F.cross_entropy(model(at), y)
    if method == "trades":
        return F.kl_div(F.log_softmax(model(at), 1), F.softmax(model(x), 1), reduction="sum")
    return spat_terms(model(x), model(at)).sum()


def outer_loss(method: str, model: nn.Module, x: Tensor, at: Tensor, y: Tensor, prior: Tensor) -> Tensor:
    """What the weights descend; `prior` is each class's share of the data."""
    if method == "pgd-at":
        return F.cross_entropy(model(at), y)
    clean, attacked = model(x), model(at)
    if method in ("trades", "robal"):
        divergence = F.kl_div(F.log_softmax(attacked, 1), F.softmax(clean, 1), reduction="batchmean")
        if method == "trades":
            return F.cross_entropy(clean, y) + 6 * divergence
        margins = 0.1 * F.one_hot(y, clean.shape[1])  # RoBal-N's
        return F.cross_entropy(10 * (attacked - margins) + 1.2 * prior.log(), y) + 6 * divergence
    true = F.one_hot(y, clean.shape[1]).bool()
    scores = 8 * torch.where(true, 1.2 - clean, clean + 0.2) * clean
    return F.cross_entropy(scores, y) + 6 * spat_terms(clean, attacked).mean()


def plain_epoch(method: str, model: nn.Module, data: Dataset, eps: float, batch: int, device: torch.device) -> None:
    """One epoch of the plain loop."""
    optimiser = torch.optim.SGD(model.parameters(), 0.01, momentum=0.9, weight_decay=5e-4)
    step = eps / 4
    prior = torch.bincount(data.labels).to(device) / len(data)
    for images, classes in DataLoader(data, batch, shuffle=True, drop_last=True):
        x, y = images.to(device), classes.to(device)
        model.eval()
        noise = 0.001 * torch.randn_like(x)
        if method in ("pgd-at", "robal"):
            noise = torch.empty_like(x).uniform_(-eps if method == "pgd-at" else 0, eps)
        at = (x + noise).clamp(0, 1)
        for _ in range(STEPS):
            at.requires_grad_()
            (gradient,) = torch.autograd.grad(inner_loss(method, model, x, at, y), at)
            at = at.detach() + step * gradient.sign()
            at = torch.min(torch.max(at, x - eps), x + eps).clamp(0, 1)
        model.train()
        optimiser.zero_grad()
        outer_loss(method, model, x, at.detach(), y, prior).backward()
        optimiser.step()


def our_run(method: str, data: Data, model: nn.Module, batch: int, device: torch.device, precision: str) -> Run:
    """A run as `weakspot.train` prepares it."""
    objective, policy = objective_of(f"{METHODS[method]}(steps={STEPS})"), policy_of("none")
    config = TrainConfig(
        method=method_of(objective), policy="none", model="object: benchmark", head=objective.base.head, weights="",
        data=data.name, data_digest="", radius=Radius.of(data.radius), epochs=100, batch=batch, optimizer="sgd",
        lr=0.01, momentum=0.9, weight_decay=5e-4, spare_norms=False, schedule="constant", average=0.999, smoothing=0.0,
        crop=0.125, flip=True, validation=0.0, validation_steps=1, select="last", precision=precision, seed=0,
    )  # fmt: skip
    return prepare(config, objective, policy, data, model, device, Path(tempfile.mkdtemp()))


def seconds(action: Callable[[], object], device: torch.device) -> float:
    """Wall clock of one call; with one CPU thread the process's CPU time, which is the same where the core is free."""
    alone = device.type == "cpu" and torch.get_num_threads() == 1
    clock = time.process_time if alone else time.perf_counter
    start = clock()
    action()
    if device.type == "cuda":
        torch.cuda.synchronize()
    return clock() - start


def compare(method: str, data: Data, args: argparse.Namespace, device: torch.device) -> dict[str, object]:
    """Both sides' images per second for one method."""
    head = objective_of(METHODS[method]).base.head
    channels, size, _ = data.shape
    spec = ModelSpec(zoo=args.model, channels=channels, classes=len(data.classes), size=size, head=head)
    model = spec.build(0)
    theirs, ours = deepcopy(model).to(device), model.to(memory_format=torch.channels_last)
    plain, eps = Augmented(data), float(Radius.of(data.radius))
    run = our_run(method, data, ours, args.batch, device, args.precision)
    turns: list[tuple[float, float]] = []
    for epoch in range(args.rounds + 1):
        theirs_took = seconds(lambda: plain_epoch(method, theirs, plain, eps, args.batch, device), device)
        ours_took = seconds(lambda epoch=epoch: train_epoch(run, epoch, Live()), device)
        turns.append((theirs_took, ours_took))
    images = len(data) // args.batch * args.batch
    slow, fast = (images / statistics.median(side) for side in zip(*turns[1:], strict=True))
    return {"method": method, "plain": round(slow, 1), "ours": round(fast, 1), "ratio": round(fast / slow, 2)}


def machine(device: torch.device, threads: int) -> str:
    """What it ran on."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    name = next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), platform.machine())
    return f"{name}, {threads} of {os.cpu_count()} cores"


def main() -> None:
    """Compare, print and keep the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", default="fashion-mnist-mini")
    parser.add_argument("--model", default="resnet18-w16")
    parser.add_argument("--limit", type=int, default=2048)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--precision", default="bf16", choices=("bf16", "fp32"))
    parser.add_argument("--methods", nargs="+", default=list(METHODS), choices=METHODS)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if device.type == "cuda":
        torch.backends.cudnn.benchmark = True
    whole = load_data(args.data, split="train")
    first = range(min(args.limit, len(whole)))
    data = ArrayData.of(
        whole.batch(first).numpy(), whole.labels[: len(first)].numpy(), classes=whole.classes, name=args.data,
        split="train", radius=whole.radius,
    )  # fmt: skip
    rows = []
    for method in args.methods:
        rows.append(compare(method, data, args, device))
        print(rows[-1], flush=True)
    told = {
        "model": args.model, "precision": args.precision, "batch": args.batch, "images": len(data), "data": data.name,
        "machine": f"torch {torch.__version__}; {machine(device, args.threads)}",
    }  # fmt: skip
    keep([told | row for row in rows])


def keep(rows: list[dict[str, object]]) -> None:
    """Put rows into the table, in the place of older ones of the same model, precision and method."""
    path = RESULTS / "training.csv"
    with path.open(newline="") if path.exists() else nullcontext([]) as file:
        before = list(csv.DictReader(file))
    fresh = {tuple(str(row[key]) for key in KEY) for row in rows}
    rows = [row for row in before if tuple(row[key] for key in KEY) not in fresh] + rows
    RESULTS.mkdir(exist_ok=True)
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    lines = [list(rows[0]), ["---"] * len(rows[0]), *([str(cell) for cell in row.values()] for row in rows)]
    text = [
        "# Training: images per second\n",
        f"A plain float32 loop beside ours, {STEPS} inner steps; `--precision bf16` is not the default on a CPU.\n",
        *("| " + " | ".join(line) + " |" for line in lines),
    ]
    (RESULTS / "training.md").write_text("\n".join(text) + "\n")


if __name__ == "__main__":
    main()
