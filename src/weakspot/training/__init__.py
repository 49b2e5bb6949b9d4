"""The training tower: objectives own the attack and the loss, policies what is class-wise, the loop the rest."""

from weakspot.training.export import adjust as adjust
from weakspot.training.export import export as export
from weakspot.training.history import saved_epoch as saved_epoch
from weakspot.training.objective import Knobs as Knobs
from weakspot.training.objective import Losses as Losses
from weakspot.training.objective import Objective as Objective
from weakspot.training.objectives import OBJECTIVES as OBJECTIVES
from weakspot.training.options import TrainConfig as TrainConfig
from weakspot.training.policies import POLICIES as POLICIES
from weakspot.training.policy import Policy as Policy
from weakspot.training.train import Interrupted as Interrupted
from weakspot.training.train import train as train
