"""The training tower: objectives own the attack and the loss, the loop owns everything else."""

from weakspot.training.objective import Knobs as Knobs
from weakspot.training.objective import Losses as Losses
from weakspot.training.objective import Objective as Objective
from weakspot.training.objectives import OBJECTIVES as OBJECTIVES
from weakspot.training.options import TrainConfig as TrainConfig
from weakspot.training.train import Interrupted as Interrupted
from weakspot.training.train import train as train
