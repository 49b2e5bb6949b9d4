"""Programs of torch.export (`.pt2`): a model without its source code. Input gradients equal the original's."""

from io import BytesIO
from logging import getLogger
from pathlib import Path

import torch
from torch import nn

from weakspot.contracts import Images, Logits
from weakspot.errors import InputError
from weakspot.models import checkpoints
from weakspot.models.exported_check import check_archive
from weakspot.models.modes import frozen

log = getLogger(__name__)


class Exported(nn.Module):
    """A program whose batch norms and dropouts were fixed when it was exported: it has no modes to switch."""

    def __init__(self, program: nn.Module) -> None:
        super().__init__()
        self.program = program
        self.training = False

    def train(self, mode: bool = True) -> "Exported":
        """Nothing changes: the program itself would raise NotImplementedError."""
        return self

    def forward(self, images: Images) -> Logits:
        """The program's logits."""
        return self.program(images)


def load_pt2(path: Path, *, trust_pickle: bool = False) -> Exported:
    """The program at `path`, on the device it was exported from.

    torch.export.load executes what a hostile file tells it to (pickles, symbolic expressions, guards), so the archive
    is first checked to hold none of that: tensors and aten operators only.

    Args:
        path: a `.pt2` file.
        trust_pickle: load without that check; the log names the file and its SHA-256.

    Raises:
        InputError: there is no such file, it is damaged, or it holds something that could execute code.

    """
    if not path.is_file():
        raise InputError(f"no exported program at {path}; weakspot export writes one")
    content = path.read_bytes()  # read once: what was checked is what is loaded
    try:
        check_archive(content)
    except InputError as error:
        if not trust_pickle:
            raise InputError(
                f"{path} (SHA-256 {checkpoints.sha256(path)}) was not loaded: {error}; "
                "export it again, or vouch for the file with --trust-pickle (trust_pickle=True)"
            ) from error
        log.warning(
            "loading the program %s (SHA-256 %s) unchecked, as trust_pickle says", path, checkpoints.sha256(path)
        )
    try:
        return Exported(torch.export.load(BytesIO(content)).module())
    except Exception as error:  # the deserialiser raises nearly any type on damaged input
        raise InputError(
            f"{path} is no program that torch {torch.__version__} can load: {type(error).__name__}"
        ) from error


def export_pt2(model: nn.Module, path: Path, shape: tuple[int, int, int]) -> None:
    """Write `model`, in eval mode, to `path`, for batches of any size of images of `shape` (channels, height, width).

    Raises:
        InputError: torch.export cannot trace the model.
        SetupError: the file cannot be written.

    """
    first = next(iter(model.parameters()), torch.empty(0))
    example = torch.zeros(2, *shape, device=first.device)  # 2 and not 1: torch.export takes sizes 0 and 1 for constants
    batch = torch.export.Dim("batch", min=1)
    try:
        with frozen(model):
            program = torch.export.export(model, (example,), dynamic_shapes=({0: batch},))
    except Exception as error:  # tracing raises whatever the model's code runs into
        reason = str(error).strip().splitlines() or [type(error).__name__]
        raise InputError(f"torch.export cannot trace this {type(model).__name__}: {reason[0][:200]}") from error
    for node in program.graph.nodes:
        node.meta.pop("stack_trace", None)  # the traces hold the paths of this machine's files
    buffer = BytesIO()
    torch.export.save(program, buffer)
    checkpoints.write(path, buffer.getvalue())
