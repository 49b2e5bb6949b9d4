"""Whether a model and data belong together, asked of one image before anything is planned or written."""

import torch

from weakspot.contracts import Classifier, Data
from weakspot.errors import InputError


def check_fit(model: Classifier, data: Data, device: torch.device) -> None:
    """Ask the model about the first image.

    Raises:
        InputError: it does not take such images, or does not return one logit for each class of the data.

    """
    images = data.batch([0]).to(device)
    try:
        with torch.no_grad():
            logits = model(images)
    except torch.OutOfMemoryError:
        raise
    except Exception as error:  # the user's code may raise anything
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise InputError(
            f"the model does not take this data's images, shape (batch, {', '.join(map(str, data.shape))}), float32 in "
            f"[0, 1]; it raised {type(error).__name__}: {reason}"
        ) from error
    if not isinstance(logits, torch.Tensor) or logits.ndim != 2 or len(logits) != 1:
        came = tuple(logits.shape) if isinstance(logits, torch.Tensor) else f"a {type(logits).__name__}"
        raise InputError(
            f"the model must return logits of shape (batch, classes), got {came} for one image; wrap it so that it "
            "returns one row of scores per image"
        )
    if logits.shape[1] != len(data.classes):
        named = ", ".join(data.classes[:3]) + (", ..." if len(data.classes) > 3 else "")
        raise InputError(
            f"the model returns {logits.shape[1]} logits and the data has {len(data.classes)} classes ({named}); both "
            "must know the same classes in the same order"
        )
