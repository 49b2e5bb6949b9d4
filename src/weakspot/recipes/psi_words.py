"""What the page of the study of psi says beside its numbers: its settings, what its tables mean, and its captions."""

from collections.abc import Mapping

from weakspot.landscape.forms import CALIBRATION
from weakspot.recipes.psi_runs import DATA, FIRST, GRADED, IMAGES, PART, RADIUS, SIZES, STEPS, TRAINING
from weakspot.recipes.study import Scale
from weakspot.recipes.tables import options

SMALL = (
    f"10,177 training images, as many of each class (`{PART['cpu']}`)",
    f"attacks in training of {STEPS} steps (PGD-AT, TRADES; N-FGSM has one)",
)
LARGE = ("all 50,000 training images", "attacks in training of each method's own steps")
"""What is trained on, and the attacks."""


def head(scale: Scale) -> list[str]:
    """The lines that say what was done."""
    images, attack = SMALL if scale == "cpu" else LARGE
    return [
        f"Made by `weakspot reproduce psi --scale {scale}` as [planned](psi-plan.md): {DATA[scale]}, "
        f"{images}, {RADIUS[scale]}; networks {', '.join(SIZES[scale])}; {attack}; weight decay "
        f"5e-4, {options(TRAINING[scale])}. {IMAGES[scale]:,} test images for psi and accuracy, {GRADED[scale]:,} of "
        "them for the grid.", "",
        'psi is 1 / the mean of the largest divergence found in the ball; "under attack" is what PGD-20 and APGD-DLR '
        f"both leave right. Form B, which decides, takes a temperature from the logits of {CALIBRATION:,} clean test "
        "images, classes unused: these forwards are not among the passes that are compared in claim 3, and the "
        "temperature is not drawn anew in the resamples.", "",
        "95 % intervals: of a seed by images resampled within their classes, of the mean over seeds by images and "
        "seeds. Errors of orders (claims 2 and 3) have 1.96 standard deviations around their value, since resamples "
        "turn more close pairs round than the data do. No interval covers which models were chosen.", "",
    ]  # fmt: skip


NOTES: Mapping[str, str] = {
    "Verdicts": "`drawn from`: how many models, networks or pairs of models each seed's figure rests on; a silent "
    "model takes its network out of the order in its own seed only. From few pairs claim 1b can be 1 with an interval "
    "of [1, 1] and p = 0: then every pair was ordered alike in every resample of the images, and other models may "
    "still differ. Fewer than five pairs in a seed leave claims 1b, 2 and 3 undecided.",
    "Claim 2: orders turned round by settings": "A setting counts if its step times its gradients is the radius at "
    "least, 19 of 28. Of psi that is a rule of counting and not literally how far it goes: it starts on the border of "
    "the ball or near it, splits its gradients over two climbs from opposite starts, and its steps shrink.",
    "Claim 3: orders turned round with few passes and images": "Passes are forwards and backwards of an image. "
    f"`with form B's images` adds the {CALIBRATION:,} forwards of the temperature once for each model.",
    f"Surfaces, seed {FIRST}: logits of form B": "Means over images, from the image to the border of the ball; each "
    "way ends inside the image range. `straight`: what the first tenth of the way would make of the whole, 1 for a "
    "plane, a dash where it does not fall (rise). `lost along psi, not here`: of the right images that are lost on the "
    "way to the point of largest divergence, the share that this way does not lose.",
    "Models": "Measuring is psi, accuracy, the grid of settings and, in the first seed, surfaces: seconds of the "
    "processor, and seconds that passed. On a GPU the processor's seconds do not hold the device's time.",
}
"""By the title of a table."""
CAPTIONS: Mapping[str, str] = {
    "psi.svg": "psi (form B) against accuracy under attack. A mark is a model that takes part: its colour the "
    "training, its shape the network, once for each seed. Bars are 95 % intervals over images.",
    "psi-surfaces.svg": "The margin of one image by training, logits of form B, over the loss gradient (to the right) "
    "and random signs (upwards), to twice the radius. Black line: decision boundary. Dashed: the ball. +: the image. "
    "Pixels are not cut to the image range here. One scale for all; a silent model is left out.",
}
"""By the file of a figure."""
