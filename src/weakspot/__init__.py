"""weakspot finds the weak classes of an image classifier, explains them, trains fixes and proves whether a fix worked.

The public names are loaded on first use, so that `import weakspot` does not import torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from weakspot.api import audit as audit
    from weakspot.api import compare as compare
    from weakspot.api import doctor as doctor
    from weakspot.api import explain as explain
    from weakspot.api import export as export
    from weakspot.api import import_run as import_run
    from weakspot.api import load_data as load_data
    from weakspot.api import load_model as load_model
    from weakspot.api import open_run as open_run
    from weakspot.api import rare_or_hard as rare_or_hard
    from weakspot.api import train as train

__version__ = "0.1.0"
__all__ = [
    "audit",
    "compare",
    "doctor",
    "explain",
    "export",
    "import_run",
    "load_data",
    "load_model",
    "open_run",
    "rare_or_hard",
    "train",
]


def __getattr__(name: str) -> Any:
    if name in __all__:
        return getattr(import_module("weakspot.api"), name)
    raise AttributeError(f"module 'weakspot' has no attribute {name!r}")
