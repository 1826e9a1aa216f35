# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""A policy whose chunk is the state plus 0.1 per point, normalised by 2 on the way in and out."""

from collections import deque

import torch

from lerobot.configs.policies import PreTrainedConfig


class Policy:
    def __init__(self, config):
        self.config = config
        self.reset()

    @classmethod
    def from_pretrained(cls, directory, *, config=None):
        config = config or PreTrainedConfig.from_pretrained(directory)
        assert config.device == 'cpu'
        return cls(config)

    def to(self, device):
        return self

    def eval(self):
        return self

    def reset(self):
        back = getattr(self.config, 'n_obs_steps', 1)
        self._queues = {'action': deque(maxlen=back)}
        if self.config.type == 'diffusion':
            self._queues |= {
                'observation.state': deque(maxlen=back),
                'observation.images': deque(maxlen=back),
            }

    def predict_action_chunk(self, batch):
        if batch['task'] == ['fail']:
            raise RuntimeError('a policy that fails')
        state = batch['observation.state']
        assert state.shape[0] == 1
        for key in self.config.image_features:
            if 'empty_camera' in key and key not in batch:
                continue
            assert batch[key].shape[:2] == (1, 3)
            assert 0.0 <= float(batch[key].min()) <= float(batch[key].max()) <= 1.0
        if self.config.type == 'diffusion':
            images = torch.stack(list(self._queues['observation.images']), dim=1)
            assert images.shape[:2] == (1, self.config.n_obs_steps)
            state = torch.stack(list(self._queues['observation.state']), dim=1).mean(dim=1)
        steps = torch.arange(1, self.config.chunk_size + 1).reshape(1, -1, 1)
        return state.unsqueeze(1) + 0.05 * steps


class PointsFirst(Policy):
    """As TD-MPC: a camera in the singular, and (points, 1, joints)."""

    def predict_action_chunk(self, batch):
        return super().predict_action_chunk(batch).transpose(0, 1)


def get_policy_class(name):
    return {'act': Policy, 'diffusion': Policy, 'tdmpc': PointsFirst}[name]


def make_pre_post_processors(
    config, pretrained_path, preprocessor_overrides=None, postprocessor_overrides=None
):
    assert preprocessor_overrides['device_processor']['device'] == 'cpu'

    def before(batch):
        out = {k: v.unsqueeze(0) for k, v in batch.items() if k != 'task'}
        out['observation.state'] = out['observation.state'] / 2.0
        return out | {'task': [batch['task']]}

    def after(action):
        assert action.ndim == 2
        return action * 2.0

    return before, after
