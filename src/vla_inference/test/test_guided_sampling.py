# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Policies that draw their answers: confidence from several, and heads that can be guided."""

import copy
import hashlib

import numpy as np
import pytest
import torch
import yaml
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import save

from vla_common.errors import ConfigError
from vla_inference.blender import Blender, Blending, BlendingParameters
from vla_inference.confidence import ConfidenceLimits, ConfidenceMonitor
from vla_policy.load import load_policy
from vla_policy.sampling import nearest_to_all
from vla_policy.testing.bundles import HORIZON, JOINTS, ONNX, STEP, write_tokenizer
from vla_policy.types import ActionPrefix, PolicyError

TIMES = STEP * np.arange(1, HORIZON + 1)


class TwoWays(torch.nn.Module):
    """The exact velocity field of two chunks, all +1 and all -1, with deviations of 0.2 that are
    correlated over the horizon. To which of the two it flows, the noise decides."""

    def __init__(self) -> None:
        super().__init__()
        self.unused = torch.nn.Parameter(torch.zeros(1))
        points = torch.arange(HORIZON, dtype=torch.float64)
        gaps = points[:, None] - points[None]
        self.covariance = 0.04 * torch.exp(-0.5 * (gaps / 3.0) ** 2) + 1e-4 * torch.eye(HORIZON)

    def context(self, image, state, words):
        return image.mean() * 0.0

    def velocity(self, x, t, context):
        t, kind = t.double(), x.dtype
        x = x[0].double()
        covariance = (1 - t) ** 2 * torch.eye(HORIZON) + t**2 * self.covariance
        ends, logs = [], []
        for mean in (1.0, -1.0):
            whitened = torch.linalg.solve(covariance, x - t * mean)
            ends.append(mean + t * self.covariance @ whitened)
            logs.append(-0.5 * ((x - t * mean) * whitened).sum())
        share = torch.softmax(torch.stack(logs), 0)
        end = share[0] * ends[0] + share[1] * ends[1]
        return ((end - x) / (1 - t))[None].to(kind) + context


def make_two_ways() -> torch.nn.Module:
    return TwoWays()


def make_linear() -> torch.nn.Module:
    return torch.nn.Linear(1, 1)


def write_flow(directory, make='make_two_ways', **flow):
    directory.mkdir(parents=True, exist_ok=True)
    module = {'make_two_ways': make_two_ways, 'make_linear': make_linear}[make]()
    (directory / 'weights.safetensors').write_bytes(save(module.state_dict()))
    write_tokenizer(directory / 'tokenizer.json')
    policy = copy.deepcopy(ONNX) | {'runtime': 'pytorch'}
    del policy['model']
    policy['source'] = {'factory': f'{__name__}:{make}', 'weights': 'weights.safetensors'}
    policy['outputs']['action'] |= {
        'mean': [0.0] * 3,
        'std': [0.5] * 3,
        'flow': {'steps': 10} | flow,
    }
    policy['files'] = {
        name: hashlib.sha256((directory / name).read_bytes()).hexdigest()
        for name in ('weights.safetensors', 'tokenizer.json')
    }
    (directory / 'policy.yaml').write_text(yaml.safe_dump(policy, sort_keys=False))
    return directory


def test_head_is_guided_by_the_prefix_through_its_velocity_field(tmp_path, robot, observe):
    policy = load_policy(write_flow(tmp_path, steps=20, guidance=20.0), robot)
    assert policy.takes_prefix
    free = [policy.predict(observe()).positions[:, 0] for _ in range(12)]
    np.testing.assert_allclose(np.abs(free), 0.5, atol=0.4)
    assert {float(np.sign(one.mean())) for one in free} == {1.0, -1.0}
    weights = np.array([1.0, 1.0, 0.4, 0.0, 0.0])
    for side in (0.5, -0.5):
        committed = np.full((HORIZON, 3), side)
        committed[:2] += 0.1
        prefix = ActionPrefix(tuple(JOINTS), committed, TIMES, weights)
        guided = np.array([policy.predict(observe(prefix=prefix)).positions for _ in range(6)])
        # What is committed is met, and the rest goes the same way without a target for it.
        assert guided[:, :2].mean() == pytest.approx(side + 0.1, abs=0.05)
        np.testing.assert_allclose(guided[:, 3:], side, atol=0.4)
    policy.close()


def test_prefix_of_other_joints_or_times_does_not_guide(tmp_path, robot, observe):
    policy = load_policy(write_flow(tmp_path), robot)
    far, ones = np.full((HORIZON, 3), 3.0), np.ones(HORIZON)
    for joints, times in ((('a', 'b', 'c'), TIMES), (tuple(JOINTS), 2.0 * TIMES)):
        chunk = policy.predict(observe(prefix=ActionPrefix(joints, far, times, ones)))
        np.testing.assert_allclose(np.abs(chunk.positions), 0.5, atol=0.4)


def test_rtc_joins_what_the_head_samples_without_a_step(tmp_path, robot, observe):
    policy = load_policy(write_flow(tmp_path), robot)
    blender = Blender(BlendingParameters(Blending.RTC))
    sides, steps = [], []
    for i in range(12):
        stamp = round(0.2e9 * i)
        chunk = policy.predict(observe(prefix=blender.prefix(stamp)))
        joined = blender.join(chunk, stamp, stamp + round(0.1e9))
        sides.append(float(np.sign(chunk.positions.mean(axis=0)[0])))
        steps.append(joined.jump.position)
    assert len(set(sides)) == 1
    assert max(steps) < 0.01


def test_samples_that_contradict_each_other_lower_the_confidence(tmp_path, robot, observe):
    policy = load_policy(write_flow(tmp_path, samples=8), robot)
    spreads = [policy.predict(observe()).spread for _ in range(4)]
    assert max(spreads) > 0.4
    committed = np.full((HORIZON, 3), 0.5)
    prefix = ActionPrefix(tuple(JOINTS), committed, TIMES, np.ones(HORIZON))
    agreed = policy.predict(observe(prefix=prefix))
    assert 0.0 <= agreed.spread < 0.1
    monitor = ConfidenceMonitor(ConfidenceLimits())
    speed = monitor.update(-1.0, -1.0, max(spreads))
    assert speed < 1.0
    unsure = monitor.confidence
    assert monitor.update(-1.0, -1.0, agreed.spread) == 1.0
    assert unsure < 0.5 < 0.9 < monitor.confidence


@given(st.lists(st.floats(-1.0, 1.0), min_size=2, max_size=8))
def test_chosen_sample_is_one_of_them_and_nearest_to_the_others(values):
    chunks = [np.full((3, 2), value) for value in values]
    chosen, spread = nearest_to_all(chunks)
    total = [sum((value - other) ** 2 for other in values) for value in values]
    assert total[chosen] <= min(total) + 1e-9
    assert spread == pytest.approx(np.sqrt(total[chosen] / (len(values) - 1)), abs=1e-6)


def test_model_with_a_noise_input_is_called_once_for_each_sample(tmp_path, robot, observe):
    from onnx import TensorProto, helper, save_model

    shape = [1, HORIZON, 3]
    graph = helper.make_graph(
        [helper.make_node('Add', ['noise', 'row'], ['joint_targets'])]
        + [helper.make_node('Unsqueeze', ['proprioception', 'axis'], ['row'])],
        'noisy',
        [
            helper.make_tensor_value_info('proprioception', TensorProto.FLOAT, [1, 3]),
            helper.make_tensor_value_info('noise', TensorProto.FLOAT, shape),
        ],
        [helper.make_tensor_value_info('joint_targets', TensorProto.FLOAT, shape)],
        [helper.make_tensor('axis', TensorProto.INT64, [1], [1])],
    )
    graph.node.reverse()
    opset = [helper.make_opsetid('', 17)]
    save_model(helper.make_model(graph, opset_imports=opset, ir_version=8), tmp_path / 'model.onnx')
    policy = copy.deepcopy(ONNX)
    policy['inputs'] = {
        'state': policy['inputs']['state'],
        'noise': {'tensor': 'noise', 'samples': 4},
    }
    digest = hashlib.sha256((tmp_path / 'model.onnx').read_bytes()).hexdigest()
    policy['files'] = {'model.onnx': digest}
    (tmp_path / 'policy.yaml').write_text(yaml.safe_dump(policy, sort_keys=False))
    loaded = load_policy(tmp_path, robot)
    first, second = loaded.predict(observe()), loaded.predict(observe())
    assert np.abs(first.positions - second.positions).max() > 0.1
    # Targets deviate by the outputs' std, 1.0, 0.5 and 0.25; two samples by sqrt(2) times that.
    assert 0.4 < first.spread < 2.0
    again = load_policy(tmp_path, robot).predict(observe())
    np.testing.assert_array_equal(again.positions, first.positions)


def test_flow_head_that_does_not_fit_is_refused(tmp_path, robot):
    with pytest.raises(ConfigError, match=r'make_linear without context\(\)'):
        load_policy(write_flow(tmp_path / 'a', 'make_linear'), robot)
    with pytest.raises(ConfigError, match='outputs.action.flow.steps: found 0'):
        load_policy(write_flow(tmp_path / 'b', steps=0), robot)
    with pytest.raises(ConfigError, match="unknown key, wanted 'steps'"):
        load_policy(write_flow(tmp_path / 'c', step=5), robot)
    file = write_flow(tmp_path / 'd') / 'policy.yaml'
    file.write_text(
        file.read_text().replace(
            'runtime: pytorch', 'runtime: torchscript\nmodel: weights.safetensors'
        )
    )
    with pytest.raises(ConfigError, match='do not expose its velocity field'):
        load_policy(file.parent, robot)


def test_head_that_fails_is_a_policy_error(tmp_path, robot, observe, monkeypatch):
    policy = load_policy(write_flow(tmp_path), robot)
    monkeypatch.setattr(TwoWays, 'velocity', lambda self, x, t, c: x * float('nan'))
    with pytest.raises(PolicyError, match='not finite'):
        policy.predict(observe())
    monkeypatch.setattr(TwoWays, 'velocity', lambda self, x, t, c: x[:, :2])
    with pytest.raises(PolicyError, match='velocities'):
        policy.predict(observe())
