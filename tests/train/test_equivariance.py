"""The callback that reports the equivariance error of a network in training."""

import lightning as L
import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from equisym.groups import C
from equisym.models import build
from equisym.train.equivariance import EquivarianceCallback


class Module(L.LightningModule):
    def __init__(self, model):
        super().__init__()
        self.model = model

    def validation_step(self, batch, _):
        self.log("loss", nn.functional.cross_entropy(self.model(batch[0]), batch[1]))


def measured(model, callback):
    data = DataLoader(TensorDataset(torch.rand(4, 1, 33, 33), torch.zeros(4, dtype=torch.long)), batch_size=2)
    options = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False, "accelerator": "cpu"}
    trainer = L.Trainer(callbacks=[callback], enable_model_summary=False, **options)
    (figures,) = trainer.validate(Module(model), data, verbose=False)
    return figures["equivariance_error"]


@pytest.mark.filterwarnings("ignore::UserWarning", "ignore:.*:DeprecationWarning", "ignore:.*:FutureWarning")
def test_an_exact_network_and_a_plain_one_are_told_apart():
    torch.manual_seed(0)
    assert measured(build("e2resnet", width=2, pool="max"), EquivarianceCallback()) < 1e-4
    plain = build("e2resnet", width=2, conv="plain", group="C4")
    assert measured(plain, EquivarianceCallback(C(4))) > 1e-3
    with pytest.raises(ValueError, match="Linear has no group: give one"):
        EquivarianceCallback().measure(nn.Linear(1, 1), torch.rand(1, 1))
