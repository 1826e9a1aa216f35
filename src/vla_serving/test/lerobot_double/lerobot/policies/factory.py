# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""A policy whose chunk is the state plus 0.1 per point, normalised by 2 on the way in and out."""

import json
from collections import deque
from pathlib import Path

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


class Padding(Policy):
    """As SmolVLA: scales and pads images itself; answers the share of the picture that is white."""

    def predict_action_chunk(self, batch):
        (key,) = self.config.image_features
        image = batch[key][0]
        width, height = self.config.resize_imgs_with_padding
        ratio = max(image.shape[2] / width, image.shape[1] / height)
        assert ratio == 1.0
        tall, wide = (image.mean(0) > 0.5).any(1).sum(), (image.mean(0) > 0.5).any(0).sum()
        return torch.full((1, self.config.chunk_size, 3), 0.5 * float(wide) / float(tall))


def get_policy_class(name):
    return {'act': Policy, 'smolvla': Padding, 'diffusion': Policy, 'tdmpc': PointsFirst}[name]


def make_pre_post_processors(
    config, pretrained_path, preprocessor_overrides=None, postprocessor_overrides=None
):
    assert preprocessor_overrides['device_processor']['device'] == 'cpu'

    return Before(config, pretrained_path), _after


class Tokenizer:
    """The tokenizer step of LeRobot: cuts unless it is told otherwise; a word is a token."""

    truncation = True

    def __init__(self, max_length):
        self.max_length = max_length

    def __call__(self, text):
        ids = list(range(1, len(text.split()) + 1))
        ids = ids[: self.max_length] if self.truncation else ids
        return torch.tensor([ids + [0] * (self.max_length - len(ids))])


class Before:
    def __init__(self, config, path):
        json.loads((Path(path) / 'policy_preprocessor.json').read_text())
        length = getattr(config, 'tokenizer_max_length', 0)
        self.steps = [object(), Tokenizer(length)] if length else [object()]

    def __call__(self, batch):
        out = {k: v.unsqueeze(0) for k, v in batch.items() if k != 'task'}
        out['observation.state'] = out['observation.state'] / 2.0
        for step in self.steps[1:]:
            out['observation.language.tokens'] = step(batch['task'])
        return out | {'task': [batch['task']]}


def _after(action):
    assert action.ndim == 2
    return action * 2.0
