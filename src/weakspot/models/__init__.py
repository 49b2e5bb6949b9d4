"""Models: the zoo, heads, checkpoints, and every way in which a user may hand a classifier over."""

from weakspot.models.digest import digest as digest
from weakspot.models.exported import export_pt2 as export_pt2
from weakspot.models.loading import LoadedModel as LoadedModel
from weakspot.models.loading import load as load
from weakspot.models.modes import frozen as frozen
from weakspot.models.spec import ModelSpec as ModelSpec
from weakspot.models.spec import save_model as save_model
from weakspot.models.zoo import NAMES as NAMES
from weakspot.models.zoo import build as build
