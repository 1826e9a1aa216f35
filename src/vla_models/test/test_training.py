# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The training loop keeps its promises: same seed same weights, resume, lower loss, safe files."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from vla_common.errors import ConfigError
from vla_models.exporting import export_bundle, load_checkpoint
from vla_models.training import Trainer, TrainingOptions

SMALL = TrainingOptions(epochs=2, batch=8, threads=1, validation=0.2)


def weights(path) -> torch.Tensor:
    model, _ = load_checkpoint(path / 'checkpoint.pt')
    return torch.cat([p.detach().flatten() for p in model.parameters()])


@pytest.mark.timeout(300)
def test_the_same_seed_gives_the_same_weights_and_a_killed_run_goes_on(noise_dataset, tmp_path):
    whole = Trainer(noise_dataset, tmp_path / 'whole', SMALL)
    whole.run()
    assert len(whole.curves['validation']) == 2
    assert whole.curves['validation'][1] < whole.curves['validation'][0]
    assert (tmp_path / 'whole' / 'loss.png').read_bytes()[:4] == b'\x89PNG'

    class KilledError(Exception):
        pass

    def kill(epoch, train, validation):
        raise KilledError

    with pytest.raises(KilledError):
        Trainer(noise_dataset, tmp_path / 'parts', SMALL).run(epoch_done=kill)
    again = Trainer(noise_dataset, tmp_path / 'parts', SMALL)
    assert again.resumed and again.epoch == 1
    again.run()
    assert torch.equal(weights(tmp_path / 'whole'), weights(tmp_path / 'parts'))


def test_a_missing_checkpoint_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r'best\.pt'):
        export_bundle(tmp_path, tmp_path / 'bundle')


def test_augmentation_changes_light_but_never_moves_a_pixel():
    from vla_models.training import _augment

    image = np.zeros((4, 8, 8, 3), np.uint8)
    image[:, 3, 5] = 200
    out = _augment(image, np.random.default_rng(0))
    assert out.min() >= 0 and out.max() <= 1
    assert (out.reshape(4, -1, 3).sum(-1).argmax(1) == 3 * 8 + 5).all()


@pytest.mark.timeout(300)
def test_a_run_can_begin_from_other_weights_and_leave_the_eyes_as_they_are(noise_dataset, tmp_path):
    one = replace(SMALL, epochs=1)
    Trainer(noise_dataset, tmp_path / 'first', one).run()
    given, _ = load_checkpoint(tmp_path / 'first' / 'best.pt')
    second = replace(one, init=str(tmp_path / 'first' / 'best.pt'), freeze_vision=True, seed=4)
    trainer = Trainer(noise_dataset, tmp_path / 'second', second)
    assert trainer.initialised == len(given.state_dict())
    trainer.run()
    now = trainer.model.state_dict()
    for name, value in given.state_dict().items():
        assert not name.startswith('vision.') or torch.equal(value, now[name])
    assert not torch.equal(given.state_dict()['head.gate'], now['head.gate'])
    with pytest.raises(ConfigError, match=r'none\.pt'):
        Trainer(noise_dataset, tmp_path / 'third', replace(one, init=str(tmp_path / 'none.pt')))
