"""Common corruptions (Hendrycks and Dietterich, 2019, arXiv:1903.12261) as batched tensor code, one file per kind."""

from weakspot.threats.corruptions.catalogue import CORRUPTIONS, Corruption, Entry, suite
from weakspot.threats.corruptions.levels import SEVERITIES
from weakspot.threats.corruptions.stored import StoredCorruption

__all__ = ["CORRUPTIONS", "SEVERITIES", "Corruption", "Entry", "StoredCorruption", "suite"]
