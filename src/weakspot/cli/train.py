"""`weakspot train`: a classifier trained by a method, in a folder that `weakspot audit` takes as a model."""

import os
from pathlib import Path
from typing import Annotated, Literal

from weakspot.cli.options import DEFAULT, Output, Several, Shown
from weakspot.cli.printing import pasteable
from weakspot.cli.streams import hushed, say, say_json
from weakspot.errors import InputError


def train(
    method: str | None = None,
    *,
    policy: Annotated[str, Shown] = "none",
    data: Annotated[str, Shown] = "fashion-mnist-mini",
    model: Annotated[str, Shown] = "cnn",
    head: Annotated[str, Shown] = "auto",
    loss: Annotated[str, Shown] = "cross-entropy",
    sampler: Annotated[Literal["shuffled", "class-aware"], Shown] = "shuffled",
    adjust: Annotated[str, Shown] = "auto",
    tune: Annotated[Literal["all", "head"], Shown] = "all",
    radius: str | None = None,
    epochs: Annotated[int, Shown] = 30,
    batch: Annotated[int, Shown] = 128,
    optimizer: Annotated[Literal["sgd", "adamw"], Shown] = "sgd",
    lr: Annotated[float, Shown] = 0.1,
    momentum: Annotated[float, Shown] = 0.9,
    weight_decay: Annotated[float, Shown] = 5e-4,
    spare_norms: bool = False,
    schedule: Annotated[
        Literal[
            "constant",
            "step",
            "cosine",
            "one-cycle",
            "robal",
            "robal-released",
            "robal-warm",
            "robal-warm-released",
            "robal-resampled",
            "robal-resampled-released",
            "at-bsl",
            "rice",
            "trades",
            "mart",
        ],
        Shown,
    ] = "one-cycle",
    average: Annotated[float | Literal["swa"], Shown] = 0.999,
    smoothing: Annotated[float, Shown] = 0.0,
    augment: Annotated[Literal["none", "randaugment", "autoaugment"], Shown] = "none",
    crop: Annotated[float, Shown] = 0.125,
    no_flip: bool = False,
    validation: Annotated[float, Shown] = 0.1,
    validation_steps: Annotated[int, Shown] = 10,
    select: Annotated[Literal["last", "average", "worst", "sum"], Shown] = "average",
    precision: Annotated[Literal["auto", "fp32", "bf16"], Shown] = "auto",
    seed: Annotated[int, Shown] = 0,
    device: Annotated[str, Shown] = "auto",
    track: Annotated[tuple[str, ...], Several] = (),
    out: Path | None = None,
    offline: bool = False,
    config: Path | None = None,
    output: Output = DEFAULT,
) -> None:
    """Train a classifier on the training split; the folder that comes out is a model for `weakspot audit`.

    Training that was interrupted goes on after its last epoch when the same command is given again. Several processes
    share each batch: torchrun --nproc-per-node 2 -m weakspot train ...; batch norm then sees each process's part alone.

    Parameters
    ----------
    method
        How to train: standard, n-fgsm, pgd-at, trades, mart, spat, robal-n, ...; an unknown name lists them all.
        Options stand in brackets, as in "trades(beta=3)"; "+awp" behind a method perturbs the weights as well, as in
        "trades+awp".
    policy
        How to treat classes unlike, over a method that attacks: cfa, dafa, ...; an unknown name lists them all.
    data
        Images and labels: an address as for `weakspot audit`.
    model
        A name of the zoo, such as cnn or resnet18-w16, or the folder of an earlier run, to train its model further.
    head
        The last layer: linear, cosine, robal, tde, or lws over an earlier run; auto is that of the loss, the earlier
        run or the method. Options stand in brackets, as in "cosine(scale=16,bias=False)".
    loss
        What takes the cross-entropy's place, for a long tail: ldam, "ldam(drw=True)", cosine, cosine-margin, cdt,
        logit-adjustment (the balanced softmax), focal (in its study with --schedule robal-warm), class-balanced; an
        unknown name lists them all.
    sampler
        How an epoch goes through the images: each once, or class-aware, each class as often as the largest one (in
        its study with --epochs 25 --schedule robal-resampled).
    adjust
        What the last layer does differently at inference: none, scale, tau-norm, cdt, logit-adjustment, tde; auto is
        the method's own. It belongs to the model that comes out, so attacks go through it; training does not see it.
    tune
        What learns: all, or the head alone.
    radius
        How far training attacks change an image, such as linf:8/255; by default what is customary for the data.
    epochs
        Passes over the training images.
    batch
        Images in a step.
    optimizer
        How gradients become steps; adamw wants an lr near 0.001.
    lr
        The highest learning rate.
    momentum
        Of SGD; of AdamW the first beta.
    weight_decay
        How strongly weights are pulled to 0.
    spare_norms
        No weight decay on norms and biases.
    schedule
        How the learning rate goes, in shares of --epochs: constant; one-cycle, up over 0.4 of the run and down to 0;
        cosine, down to 0. Those of papers divide it by ten: step after 100 and 105 of 110 epochs, trades after 74 of
        76, at-bsl after 74, 89 and 99 of 100, mart after 74, 89 and 99 of 120, rice after 100 and 150 of 200; that of
        RoBal's long-tailed study, robal, after 60 and 75 of 80; robal-warm, its focal loss's, also rises in the first
        5; robal-resampled, its class-aware sampler's, divides after 15 and 20 of 25. With -released as the study's code
        does, which compounds: it divides in every epoch from the 60th (15th) on, and the warm-up lowers the rate to
        0.192 for good.
    average
        Decay per step of the moving average of the weights, which is what is saved; 0 averages nothing,
        swa the last quarter's epochs alike.
    smoothing
        The share of each label that is spread over all classes.
    augment
        What happens to an image before crop and mirror: nothing, RandAugment (two operations at level 8 of 30) or
        AutoAugment's policy for CIFAR.
    crop
        The largest random shift, as a share of the image's size.
    no_flip
        Mirror no images: right for digits and letters.
    validation
        Share of each class that is held out.
    validation_steps
        Steps of the attack on the held-out images.
    select
        Which epoch to save: the last, or the best on the held-out images by average, by worst class, or by their sum;
        under attack, for standard training clean.
    precision
        Of the forward and backward passes; auto is bf16 on a GPU that computes in it.
    seed
        Names all random draws.
    device
        Where to compute: auto, cpu, cuda or cuda:N.
    track
        An experiment tracker that is installed, such as tensorboard; may be given several times.
    out
        The run's folder; by default runs/NAME, where the name follows from what is asked.
    offline
        Touch no network.
    config
        A YAML file with options, such as the config.yaml of a run.
    output
        What is printed, and where.

    """
    from weakspot import api

    if method is None:
        raise InputError("train needs a METHOD, such as: weakspot train trades")
    with hushed(output.quiet):
        folder = api.train(
            method,
            api.load_data(data, split="train", offline=offline, seed=seed),
            policy=policy,
            model=model,
            head=head,
            loss=loss,
            sampler=sampler,
            adjust=adjust,
            tune=tune,
            radius=radius,
            epochs=epochs,
            batch=batch,
            optimizer=optimizer,
            lr=lr,
            momentum=momentum,
            weight_decay=weight_decay,
            spare_norms=spare_norms,
            schedule=schedule,
            average=average,
            smoothing=smoothing,
            augment=augment,
            crop=crop,
            flip=not no_flip,
            validation=validation,
            validation_steps=validation_steps,
            select=select,
            precision=precision,
            seed=seed,
            device=device,
            track=track,
            out=out,
        )
    if os.environ.get("RANK", "0") != "0":  # another process of the same run speaks
        return
    if output.json:
        say_json({"run": str(folder), "saved_epoch": api.saved_epoch(folder)})
    else:
        say(f"weakspot audit {pasteable(folder)}")
