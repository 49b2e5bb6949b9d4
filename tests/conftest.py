"""What every test may use: the shared data where present, small planted models, and quiet hypothesis."""

from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("weakspot", deadline=None, derandomize=True)
settings.load_profile("weakspot")


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of shared data and checkpoints beside the checkout; the test is skipped where it is absent."""
    folder = Path(__file__).parents[2] / "shared"
    if not folder.is_dir():
        pytest.skip("needs ../shared beside the checkout")
    return folder
