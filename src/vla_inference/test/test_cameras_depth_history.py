# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Bundles with several cameras, depth images and a history of observations."""

import copy
import itertools
import re

import numpy as np
import pytest
from sensor_msgs.msg import Image
from test_node import World

from vla_common import qos
from vla_common.errors import ConfigError
from vla_common.testing import wait_until
from vla_common.testing_refusals import documented
from vla_inference.configure import check_cameras, common_history, read_cameras
from vla_inference.node import InferenceNode
from vla_inference.observation import ObservationAssembler, ObservationBounds
from vla_interfaces.msg import SupervisorState
from vla_policy.bundle.bundle import load_bundle
from vla_policy.bundle.model_inputs import DepthInput, History
from vla_policy.model_policy import ModelPolicy
from vla_policy.preprocess import DepthPreprocessor
from vla_policy.runtimes import Runtime
from vla_policy.testing.bundles import HORIZON, JOINTS, ONNX, SIZE, write_bundle
from vla_policy.types import PolicyError

T0 = 10**12


def depth_of(**given):
    section = {
        'tensor': 'depth',
        'camera': 'head',
        'width': SIZE,
        'height': SIZE,
        'range': [0.5, 2.5],
        'mean': 1.5,
        'std': 0.5,
    }
    return section | given


def rich(content) -> None:
    """Two cameras, depth of one, three observations 0.1 s apart."""
    image = content['inputs'].pop('image')
    content['inputs']['images'] = {
        'head': image,
        'wrist': copy.deepcopy(image) | {'tensor': 'wrist', 'camera': 'wrist', 'layout': 'nhwc'},
    }
    content['inputs']['depth'] = depth_of()
    content['inputs']['history'] = {'frames': 3, 'step': 0.1}


class Remembers(Runtime):
    """A runtime that keeps its inputs."""

    name = 'double'

    def run(self, inputs):
        self.inputs = {name: tensor.copy() for name, tensor in inputs.items()}
        return np.zeros((1, HORIZON, 3), np.float32)


@pytest.fixture
def rich_policy(tmp_path, robot):
    write_bundle(tmp_path, rich)
    bundle = load_bundle(tmp_path, robot)
    runtime = Remembers()
    return ModelPolicy(bundle, robot, runtime), runtime


def seen(observe, robot, number, past=()):
    position = robot.poses['standing'].copy()
    position[robot.index[JOINTS[0]]] = number
    return observe(
        images={
            'head': np.full((16, 24, 3), 10 * number, np.uint8),
            'wrist': np.full((16, 16, 3), 10 * number + 1, np.uint8),
        },
        depths={'head': np.full((16, 24), 0.5 * number, np.float32)},
        position=position,
        past=tuple(past),
    )


def test_every_sense_reaches_the_model_oldest_first(rich_policy, robot, observe):
    policy, runtime = rich_policy
    assert policy.bundle.cameras == ('head', 'wrist')
    assert policy.bundle.depth_cameras == ('head',)
    past = [seen(observe, robot, 1), seen(observe, robot, 2)]
    policy.predict(seen(observe, robot, 3, past))
    found = runtime.inputs
    assert found['image'].shape == (1, 3, 3, SIZE, SIZE)
    assert found['wrist'].shape == (1, 3, SIZE, SIZE, 3)
    assert found['depth'].shape == (1, 3, 1, SIZE, SIZE)
    assert found['proprioception'].shape == (1, 3, 3)
    for i, number in enumerate((1, 2, 3)):
        np.testing.assert_allclose(found['image'][0, i], (number / 25.5 - 0.5) / 0.5, atol=1e-6)
        wrist = ((10 * number + 1) / 255 - 0.5) / 0.5
        np.testing.assert_allclose(found['wrist'][0, i], wrist, atol=1e-6)
        np.testing.assert_allclose(found['depth'][0, i], (0.5 * number - 1.5) / 0.5, atol=1e-6)
        assert found['proprioception'][0, i, 0] == pytest.approx(number - 0.1)


def test_what_is_missing_of_the_past_is_the_oldest_there_is(rich_policy, robot, observe):
    policy, runtime = rich_policy
    policy.predict(seen(observe, robot, 3, [seen(observe, robot, 2)]))
    state = runtime.inputs['proprioception'][0, :, 0]
    np.testing.assert_allclose(state, [1.9, 1.9, 2.9], atol=1e-6)


def test_missing_depth_is_a_policy_error(rich_policy, robot, observe):
    policy, _ = rich_policy
    blind = observe(images=seen(observe, robot, 1).images)
    with pytest.raises(PolicyError, match='no depth image of camera head'):
        policy.predict(blind)


@pytest.mark.parametrize('resize', ['stretch', 'crop', 'letterbox'])
def test_depth_is_never_averaged_and_what_was_not_measured_is_far(resize):
    spec = DepthInput('d', 'head', 8, 8, 'nchw', (0.5, 2.5), 0.0, 1.0, resize)
    depth = np.full((12, 20), 1.0, np.float32)
    depth[:, 10:] = 2.0
    depth[3, 3], depth[4, 4], depth[5, 5], depth[6, 6] = np.nan, np.inf, 0.0, 9.0
    values = set(np.unique(DepthPreprocessor(spec)(depth)).tolist())
    assert values <= {1.0, 2.0, 2.5}
    assert {1.0, 2.0} <= values
    for wrong in (np.zeros((4, 4), np.float64), np.zeros((4, 4, 1), np.float32)):
        with pytest.raises(ValueError, match='wanted float32'):
            DepthPreprocessor(spec)(wrong)


class Stream:
    """Joints and IMU at 200 Hz, images by `image`."""

    def __init__(self, cameras=('head',), depths=(), history=History()):  # noqa: B008
        bounds = ObservationBounds(max_skew=0.03)
        self.it = ObservationAssembler(('a',), cameras, bounds, depths, history)

    def body(self, begin, end):
        for t in np.arange(begin, end, 0.005):
            self.it.add_joints(T0 + round(1e9 * t), t, ('a',), [t], [0.0])
            self.it.add_imu(T0 + round(1e9 * t), t, (1.0, 0.0, 0.0, 0.0))

    def image(self, camera, t, value=0):
        content = np.full((2, 2, 3), value, np.uint8).tobytes()
        return self.it.add_image(camera, T0 + round(1e9 * t), t, 2, 2, 6, 'rgb8', content)

    def see(self, t):
        return self.it.assemble(t, T0 + round(1e9 * t), '', 0.0)


def test_two_cameras_are_seen_at_one_instant():
    stream = Stream(('head', 'wrist'))
    stream.body(0.0, 0.4)
    for i in range(5):
        stream.image('head', 0.05 + 0.06 * i, i)
        stream.image('wrist', 0.06 + 0.06 * i, 10 + i)
    found = stream.see(0.35).observation
    assert (int(found.images['head'][0, 0, 0]), int(found.images['wrist'][0, 0, 0])) == (4, 14)
    assert found.stamp_ns == T0 + round(0.29e9)
    # The second camera's next image is not there yet: the pair stays together.
    stream.image('head', 0.35, 5)
    stream.body(0.4, 0.42)
    found = stream.see(0.41).observation
    assert found is None or int(found.images['head'][0, 0, 0]) == 4
    # It stays away: reported, never guessed.
    stream.body(0.42, 0.7)
    stream.image('head', 0.68, 6)
    assert stream.see(0.7).reason.startswith('camera wrist is 0.4')


@pytest.mark.parametrize(
    ('encoding', 'kind', 'unit'), [('32FC1', 'f4', 1.0), ('16UC1', 'u2', 1e-3)]
)
@pytest.mark.parametrize('padding', [0, 8])
def test_big_endian_depth_is_one_metre_and_not_59(encoding, kind, unit, padding):
    stream = Stream((), ('head',))
    stream.body(0.0, 0.1)
    at = T0 + round(0.05e9)
    numbers = np.zeros((2, 2), f'>{kind}')
    numbers[:] = [[1.0 / unit, 2.0 / unit], [0.5 / unit, 0.25 / unit]]
    rows = b''.join(row.tobytes() + b'\xff' * padding for row in numbers)
    step = 2 * numbers.itemsize + padding
    assert stream.it.add_depth('head', at, 0.05, 2, 2, step, encoding, rows, big_endian=True)
    depth = stream.see(0.1).observation.depths['head']
    np.testing.assert_allclose(depth, [[1.0, 2.0], [0.5, 0.25]], atol=1e-6)
    assert depth.dtype == np.float32
    assert depth.dtype.isnative


def test_depth_is_read_in_metres_from_both_encodings():
    for encoding, kind, factor in (('32FC1', '<f4', 1.0), ('16UC1', '<u2', 1000.0)):
        stream = Stream((), ('head',))
        stream.body(0.0, 0.1)
        depth = np.array([[0.5, 1.25]]) * factor
        content = depth.astype(kind).tobytes()
        step = len(content)
        at = T0 + round(0.05e9)
        assert stream.it.add_depth('head', at, 0.05, 1, 2, step, encoding, content)
        found = stream.see(0.1).observation
        np.testing.assert_allclose(found.depths['head'], [[0.5, 1.25]], atol=1e-6)
        assert found.depths['head'].dtype == np.float32
        assert not stream.it.add_depth('head', at + 1, 0.06, 1, 2, step, 'mono8', content)
        reason = stream.see(0.1).reason
        assert reason == 'depth of camera head sends mono8, wanted 32FC1'
        documented('Messages to the policy', 'depth in another encoding', reason)
        assert not stream.it.add_depth('head', at + 1, 0.06, 9, 2, step, encoding, content)


def test_history_is_of_the_requested_moments_or_the_reason_why_not():
    stream = Stream(history=History(3, 0.1))
    stream.body(0.0, 0.1)
    stream.image('head', 0.08, 1)
    assert 'has nothing of 0.20 s before' in stream.see(0.1).reason
    for i in range(1, 10):
        stream.body(0.1 * i, 0.1 * (i + 1))
        stream.image('head', 0.08 + 0.05 * (2 * i - 1), 20 * i + 10)
        stream.image('head', 0.08 + 0.05 * 2 * i, 20 * i)
    found = stream.see(1.0).observation
    assert found.stamp_ns == T0 + round(0.98e9)
    assert [int(past.images['head'][0, 0, 0]) for past in found.past] == [140, 160]
    np.testing.assert_allclose([past.position[0] for past in found.past], [0.78, 0.88], atol=3e-3)
    assert int(found.images['head'][0, 0, 0]) == 180


MALFORMED = {
    'image twice': (
        lambda c: c['inputs'].update(images={'a': c['inputs']['image']}),
        'inputs.images: found image too, wanted one of the two',
    ),
    'one frame': (
        lambda c: c['inputs'].update(history={'frames': 1, 'step': 0.1}),
        'inputs.history.frames: found 1',
    ),
    'an age': (
        lambda c: c['inputs'].update(history={'frames': 20, 'step': 1.0}),
        'inputs.history.frames: found 20, wanted at most 5 s, not 19',
    ),
    'depth without range': (
        lambda c: c['inputs'].update(depth={k: v for k, v in depth_of().items() if k != 'range'}),
        'inputs.depth.range: found nothing',
    ),
    'no samples': (
        lambda c: c['inputs'].update(noise={'tensor': 'noise', 'samples': 0}),
        'inputs.noise.samples: found 0',
    ),
}


@pytest.mark.parametrize('name', MALFORMED)
def test_malformed_senses_are_refused_by_key(tmp_path, robot, name):
    change, expected = MALFORMED[name]
    write_bundle(tmp_path, change)
    with pytest.raises(ConfigError, match=re.escape(expected)):
        load_bundle(tmp_path, robot)


def test_camera_without_a_topic_is_refused(tmp_path, robot):
    write_bundle(tmp_path, rich)
    bundle = load_bundle(tmp_path, robot)
    known = read_cameras(['head', 'wrist'], ['/a', '/b'], ['/d', ''])
    check_cameras(bundle, known)
    with pytest.raises(ConfigError, match=r'found wrist, wanted one with a topic in cameras.color'):
        check_cameras(bundle, read_cameras(['head'], ['/a'], ['/d']))
    with pytest.raises(ConfigError, match=r'found head, wanted .* cameras.depth: there is none'):
        check_cameras(bundle, read_cameras(['head', 'wrist'], ['/a', '/b'], ['', '']))
    with pytest.raises(ConfigError, match=r'cameras.color: found 1 topics, wanted one for each'):
        read_cameras(['head', 'wrist'], ['/a'], ['', ''])
    with pytest.raises(ConfigError, match='each once'):
        read_cameras(['head', 'head'], ['/a', '/b'], ['', ''])


def test_bundles_of_one_chain_share_a_history(tmp_path, robot):
    write_bundle(tmp_path / 'plain')
    write_bundle(tmp_path / 'rich', rich)
    write_bundle(
        tmp_path / 'other', lambda c: c['inputs'].update(history={'frames': 2, 'step': 0.2})
    )
    plain, first, other = (load_bundle(tmp_path / n, robot) for n in ('plain', 'rich', 'other'))
    assert common_history([plain]).frames == 1
    assert common_history([plain, first]) == History(3, 0.1)
    with pytest.raises(ConfigError, match='inputs.history'):
        common_history([first, other])


def test_shipped_form_of_a_single_camera_is_as_it_was(tmp_path, robot):
    write_bundle(tmp_path)
    bundle = load_bundle(tmp_path, robot)
    assert [part.tensor for part in bundle.model.inputs] == [
        part['tensor'] for part in ONNX['inputs'].values()
    ]
    assert bundle.model.inputs.images[0].shape == (1, 3, SIZE, SIZE)


def test_node_gives_the_policy_all_that_its_bundle_names(ros, robot, tmp_path):
    write_bundle(tmp_path, rich)
    runtime = Remembers()

    def make_policy(path, of, **settings):
        return ModelPolicy(load_bundle(path, of), of, runtime)

    class Node(InferenceNode):
        def __init__(self, **options):
            super().__init__(make_policy=make_policy, **options)

    world = World(ros, robot)
    wrist = world.probe.publisher(Image, '/wrist/image', qos.IMAGE)
    depth = world.probe.publisher(Image, '/camera/depth/image_raw', qos.IMAGE)
    count = itertools.count()

    def publish() -> None:
        pixels = np.full((16, 16, 3), next(count) % 250, np.uint8)
        one = Image(height=16, width=16, step=48, encoding='rgb8', data=pixels.tobytes())
        metres = np.full((4, 4), 1.5, np.float32).tobytes()
        other = Image(height=4, width=4, step=16, encoding='32FC1', data=metres)
        for message, to in ((one, wrist), (other, depth)):
            message.header.stamp = world.probe.node.get_clock().now().to_msg()
            to.publish(message)

    world.probe.node.create_timer(0.02, publish)
    cameras = {
        'cameras.names': ['head', 'wrist'],
        'cameras.color': ['/camera/color/image_raw', '/wrist/image'],
        'cameras.depth': ['/camera/depth/image_raw', ''],
    }
    # Wide bounds: what is looked at here is what arrives, not when.
    bounds = {'observation.max_age': 3.0, 'observation.max_skew': 2.0}
    ros.active_node(Node, policy=str(tmp_path), **cameras, **bounds)
    world.mode = SupervisorState.READY
    world.say('wave')
    world.chunks.wait(2)
    found = runtime.inputs
    assert found['image'].shape == (1, 3, 3, SIZE, SIZE)
    np.testing.assert_allclose(found['depth'], 0.0, atol=1e-6)
    # The history begins with copies of the first image of the instruction.
    wait_until(lambda: len(np.unique(runtime.inputs['wrist'][0, :, 0, 0, 0])) > 1)
