# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The node `camera`: one thread grabs and publishes; nothing else publishes an image."""

from __future__ import annotations

import threading
import traceback

import numpy as np
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import String

from vla_camera.freshness import Freshness
from vla_camera.images import to_image, to_info
from vla_camera.sources import Frame, SourceError, make_source
from vla_common import qos
from vla_common.clock import RateMeter, steady_now
from vla_common.errors import ConfigError
from vla_common.levels import Level
from vla_common.lifecycle import VlaLifecycleNode, run
from vla_common.messages import ns_to_stamp, stamp_to_ns
from vla_interfaces.msg import WorldState
from vla_robot import load_robot

# How long one grab waits; bounds how late the thread notices that it should end.
GRAB_TIMEOUT = 0.1


class CameraNode(VlaLifecycleNode):
    """Publishes colour, depth and camera_info of one source."""

    def __init__(self, **options) -> None:
        super().__init__('camera', 'vla_camera', **options)
        self._thread: threading.Thread | None = None
        self._ending = threading.Event()

    def setup(self) -> None:
        params = self.params
        robot = load_robot(params.robot)
        self._source = make_source(params, robot)
        # Opened here, so that a missing device is told at configure; from start() on the camera's
        # thread alone uses it, and closes it (an OpenGL context belongs to one thread).
        self._facts = self._source.open()
        self._open = True
        self._frame_id = robot.frames['head_camera']
        self._info = to_info(self._facts, self._frame_id)
        self._freshness = Freshness(params.stall_after, params.frozen_after)
        self._meter = RateMeter(2.0)
        self._trouble = ''
        self._lost = 0
        self._last_stamp = 0
        self._stale_stamps = 0
        self._color_out = self.advertise(Image, '/camera/color/image_raw', qos.IMAGE)
        self._info_out = self.advertise(CameraInfo, '/camera/color/camera_info', qos.IMAGE)
        self._depth_out = None
        if self._facts.has_depth and params.depth:
            self._depth_out = self.advertise(Image, '/camera/depth/image_raw', qos.IMAGE)
        if params.source == 'mujoco':
            self.subscribe(String, '/sim/scene', self._on_scene, qos.LATCHED, always=True)
            self.subscribe(WorldState, '/sim/world_state', self._on_world, qos.STATE_SUB)
        self.get_logger().info(f'{self._facts.name}: {self._facts.width} x {self._facts.height} px')

    def start(self) -> None:
        self._freshness.begin(steady_now())
        self._ending.clear()
        self._thread = threading.Thread(target=self._work, name='camera', daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._ending.set()
        if self._thread is not None:
            # A device that blocks may keep its thread; it is a daemon, and publishes nothing more.
            self._thread.join(2.0)
            self._thread = None

    def teardown(self) -> None:
        if getattr(self, '_open', False):
            self._open = False
            self._source.close()

    # -- subscriptions (executor thread) -----------------------------------------------------------

    def _on_scene(self, message: String) -> None:
        try:
            self._source.take_scene(message.data)
        except ConfigError as error:
            self._trouble = str(error)
            self.get_logger().error(f'not drawing: {error}')

    def _on_world(self, message: WorldState) -> None:
        qpos = np.array(message.qpos, dtype=np.float64)
        if not np.isfinite(qpos).all():
            self._trouble = 'the world state is not finite'
            return
        self._source.take_state(stamp_to_ns(message.header.stamp), message.scene_digest, qpos)

    # -- the camera's thread -----------------------------------------------------------------------

    def _work(self) -> None:
        try:
            self._grab_and_publish()
        except Exception:
            # A bug in a source ends the images, not the node: the listeners' watchdogs see it.
            self._trouble = traceback.format_exc().strip().splitlines()[-1]
            self.get_logger().error(f'the camera thread ends:\n{traceback.format_exc()}')
        finally:
            self._open = False
            self._source.close()

    def _grab_and_publish(self) -> None:
        wait = self.params.retry_first
        while not self._ending.is_set():
            try:
                if not self._open:
                    self._source.open()
                    self._open, wait = True, self.params.retry_first
                    self.get_logger().info(f'{self._facts.name}: open again')
                frame = self._source.grab(GRAB_TIMEOUT)
            except (SourceError, ConfigError) as error:
                self._lost += 1
                self._trouble = str(error)
                self.get_logger().error(f'{error}; trying again in {wait:.1f} s')
                self._open = False
                self._source.close()
                self._ending.wait(wait)
                wait = min(2 * wait, self.params.retry_longest)
                continue
            if frame is not None and not self._ending.is_set():
                self._publish(frame)

    def _publish(self, frame: Frame) -> None:
        now = steady_now()
        self._freshness.take(frame.color, now)
        if frame.stamp_ns <= self._last_stamp:
            # Listeners take the stamp as the sequence; one that does not advance is no new image.
            self._stale_stamps += 1
            return
        self._last_stamp = frame.stamp_ns
        self._meter.tick(now)
        self._trouble = ''
        stamp = ns_to_stamp(frame.stamp_ns)
        self._color_out.publish(to_image(frame.color, 'rgb8', stamp, self._frame_id))
        if self._depth_out is not None and frame.depth is not None:
            self._depth_out.publish(to_image(frame.depth, '32FC1', stamp, self._frame_id))
        self._info.header.stamp = stamp
        self._info_out.publish(self._info)

    # -- diagnostics -------------------------------------------------------------------------------

    def diagnose(self) -> tuple[Level, str, dict[str, str]]:
        now = steady_now()
        values = {
            'source': self._facts.name,
            'rate': f'{self._meter.rate(now):.1f} Hz',
            'images': str(self._freshness.images),
            'repeated_images': str(self._freshness.repeated),
            'stale_stamps': str(self._stale_stamps),
            'times_lost': str(self._lost),
            'age': f'{self._freshness.age(now):.3f} s',
        }
        if not self.active:
            return Level.SAFE, 'inactive', values
        if self._trouble:
            return Level.DANGER, self._trouble, values
        if self._freshness.stalled(now):
            return Level.DANGER, f'no image for {self._freshness.age(now):.1f} s', values
        if self._freshness.frozen(now):
            return Level.DANGER, 'frozen: the same image again and again', values
        return Level.SAFE, f'{self._meter.rate(now):.1f} images a second', values


def main() -> int:
    return run(CameraNode)
