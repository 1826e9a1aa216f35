# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""A batch of requests through one model."""

import numpy as np
import pytest

from vla_policy.testing.bundles import PLUS_JOINTS as JOINTS
from vla_serving.served_policy import POSITION, VELOCITY
from vla_serving.worker import REFUSED, Worker


def joint_request(robot, shift=0.0):
    return {
        POSITION: robot.poses['standing'] + shift,
        VELOCITY: np.zeros(robot.n),
        'prompt': 'wave',
    }


@pytest.mark.parametrize('kind', ['bundle', 'fixed_bundle'])
def test_each_request_of_a_batch_gets_its_own_answer(kind, robot, request):
    worker = Worker(request.getfixturevalue(kind))
    assert worker.batches == (kind == 'bundle')
    shifts = [0.0, 0.2, -0.1]
    answers = worker.answer([joint_request(robot, shift) for shift in shifts])
    indices = [robot.index[name] for name in JOINTS]
    for shift, answer in zip(shifts, answers, strict=True):
        wanted = robot.poses['standing'][indices] + shift + 0.1
        np.testing.assert_allclose(answer['actions'], np.tile(wanted, (6, 1)), atol=1e-5)
        assert answer['server_timing']['batch'] == (3 if worker.batches else 1)


@pytest.mark.parametrize('kind', ['bundle', 'fixed_bundle'])
def test_request_that_is_none_costs_its_own_answer_only(kind, robot, request):
    bundle = request.getfixturevalue(kind)
    bad = joint_request(robot) | {POSITION: np.full(robot.n, np.nan)}
    far = joint_request(robot, 100.0)
    answers = Worker(bundle).answer([bad, joint_request(robot), {}, far])
    assert 'not finite' in answers[0][REFUSED]
    assert answers[1]['actions'].shape == (6, 2)
    assert 'found nothing' in answers[2][REFUSED]
    assert 'beyond' in answers[3][REFUSED]
