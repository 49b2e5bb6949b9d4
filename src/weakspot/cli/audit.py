"""`weakspot audit`: which classes are weak, under which attack, and who is mistaken for whom."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from rich.box import SIMPLE_HEAD
from rich.table import Table

from weakspot.cli.options import DEFAULT, Output, Several, Shown
from weakspot.cli.printing import pasteable, show_run
from weakspot.cli.progress import Teller, duration
from weakspot.cli.streams import say, say_json

if TYPE_CHECKING:
    from weakspot.estimate import Estimate
    from weakspot.planning import Prepared


def audit(
    model: str | None = None,
    *,
    data: str | None = None,
    weights: Path | None = None,
    radius: Annotated[tuple[str, ...], Several] = (),
    preset: str | None = None,
    threats: Annotated[tuple[str, ...], Several] = (),
    latent: str | None = None,
    limit: int | None = None,
    out: Path | None = None,
    shard: str | None = None,
    dry_run: bool = False,
    config: Path | None = None,
    seed: Annotated[int, Shown] = 0,
    block: Annotated[int, Shown] = 256,
    device: Annotated[str, Shown] = "auto",
    precision: Annotated[Literal["auto", "fp32", "bf16"], Shown] = "auto",
    offline: bool = False,
    trust_pickle: bool = False,
    output: Output = DEFAULT,
) -> None:
    """Find the weak classes of a classifier and write a report.

    Without arguments it audits a small robust model on real images, both part of weakspot. An audit that was
    interrupted goes on where it stopped when the same command is given again.

    Parameters
    ----------
    model
        What to audit: resnet18 or another zoo name, a run folder of `weakspot train`, package.module:factory,
        file.py:factory, or file.pt2. It takes images in [0, 1] and returns logits.
    data
        Images and labels: fashion-mnist-mini, cifar10, npz:PATH, idx:PATH, folder:PATH, file.py:factory, ... See
        `weakspot data list`.
    weights
        A file of weights for the model: .safetensors, .pt or .pth.
    radius
        How far an attack may change an image, such as linf:8/255 or l2:0.5; by default what is customary for the data.
        May be given several times.
    preset
        A named list of attacks: standard (the default), quick (an upper bound in a fraction of the time), autoattack,
        or rand (for models that draw at random).
    threats
        Threats instead of a preset, such as pgd, apgd-ce(steps=50)@l2:0.5, fog@3, pairs, or corruptions (15 kinds at
        5 severities). May be given several times.
    latent
        Also look at feature space before the last layer, clean and attacked: auto finds the layer, else name a module,
        such as fc. It can be added to a finished run by giving the same command with it.
    limit
        Only the first N samples.
    out
        The run's folder; by default runs/NAME, where the name follows from what is asked, so that the same command
        always meets its own folder.
    shard
        Do part i of N (i/N, from 0/N to N-1/N). All parts share one folder.
    dry_run
        Print what would be computed, and its expected time from a probe of a few samples; write nothing.
    config
        A YAML file with options, such as the config.yaml of a run. Flags come first, then environment variables, then
        the file.
    seed
        Names all random draws.
    block
        Samples in a unit of work.
    device
        Where to compute: auto, cpu, cuda or cuda:N.
    precision
        What `standard` searches in: auto is bf16 where the device has units for it. float32 judges every image.
    offline
        Touch no network.
    trust_pickle
        Load weights that can only be read by executing code from their file.
    output
        What is printed, and where.

    """
    from weakspot import api

    prepared = api.prepare(
        model,
        data,
        weights=weights,
        radius=radius or None,
        preset=preset,
        threats=threats,
        latent=latent,
        limit=limit,
        out=out,
        device=device,
        precision=precision,
        seed=seed,
        block=block,
        shard=shard,
        offline=offline,
        trust_pickle=trust_pickle,
    )
    if dry_run:
        show_estimate(prepared, api.estimate(prepared), output)
        return
    with Teller(output, len(prepared.threats)) as teller:
        teller.remark(headline(prepared))
        run = api.carry_out(prepared, tell=teller.tell, remark=teller.remark, offline=offline)
    show_run(run, [run.folder / "report.html"], output)


def headline(prepared: "Prepared") -> str:
    """What is audited on what, and where it goes, in one line."""
    data, units = prepared.manifest["data"], len(prepared.units)
    return (
        f"auditing {prepared.manifest['model']['address']} on {data['name']}: {data['samples']:,} samples, "
        f"{len(prepared.threats)} threats, {units:,} units, into {pasteable(prepared.folder)}"
    )


def show_estimate(prepared: "Prepared", estimate: "Estimate", output: Output) -> None:
    """Print what an audit would do and cost."""
    if output.json:
        say_json(
            {
                "run": str(prepared.folder),
                "device": str(prepared.device),
                "planned": estimate.planned,
                "units": estimate.units,
                "seconds": estimate.seconds,
                "probed": estimate.probed,
                "threats": [asdict(cost) for cost in estimate.threats],
            }
        )
        return
    say(headline(prepared).replace("auditing", "would audit", 1))
    table = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for heading in ("threat", "units", "samples", "forwards", "backwards", "time"):
        table.add_column(heading, justify="left" if heading == "threat" else "right")
    for cost in estimate.threats:
        evaluations = f"{cost.forwards:.0f}", f"{cost.backwards:.0f}"
        time = duration(cost.seconds * cost.samples)
        table.add_row(cost.threat, f"{cost.units:,}", f"{cost.samples:,}", *evaluations, time)
    say(table)
    say(
        "Forward and backward passes are per sample, from a probe of "
        f"{estimate.probed} samples. {estimate.units:,} of {estimate.planned:,} units are to do: about "
        f"{duration(estimate.seconds)} on {prepared.device}. Nothing was written."
    )
