"""The class-wise study again, with new models small enough for two seeds (docs/studies/classwise-small-plan.md)."""

from weakspot.recipes.classwise import study
from weakspot.recipes.classwise_plans import SMALL

STUDY = study(SMALL, "The class-wise study's rules on new models, small ones, with two seeds of each.")
