"""Models: the zoo, heads, checkpoints, and every way in which a user may hand a classifier over."""

from weakspot.models.zoo import NAMES as NAMES
from weakspot.models.zoo import build as build
