# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Figures of the camera node that need no camera; each prints its distribution.

python test/measure.py unplug           unplugged -> reported, by source, 20 times each
python test/measure.py cpu              CPU of a process with the node on a RealSense (a recording
                                        by librealsense, 640 x 480 at 30 Hz with depth), over 20 s
"""

import os
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import psutil

from vla_camera.grabber import Grabber
from vla_camera.stream_monitor import Backoff

SECONDS = 20.0


def _v4l2(folder):
    from kernel import Kernel

    from vla_camera.sources.v4l2 import V4l2Source

    kernel = Kernel(folder / 'dev', rate=30.0)
    source = V4l2Source('SN1', 64, 48, 0.0, kernel, kernel.dev)
    return source, lambda: setattr(kernel, 'unplugged_in', 'dequeue')


def _realsense(folder):
    from realsense_recording import Bus, record

    from vla_camera.sources.realsense import RealSenseSource

    path = str(folder / 'camera.db3')
    record(path, frames=90, pace=0.005)
    bus = Bus(path)
    source = RealSenseSource('', 0, 0, 0.0, context=bus.context)
    return source, lambda: bus.unplug(path)


def _zed(folder):
    from zed_sdk import Sdk

    from vla_camera.sources.zed import ZedSource

    sdk = Sdk()
    sdk.rate = 30.0
    return ZedSource('1234', 0, 0, 0.0, sdk=sdk), lambda: setattr(sdk, 'plugged', False)


def _silent(folder):
    """A device that says nothing when it goes."""
    from vla_camera.doubles import Fault, FaultySource

    source = FaultySource(period=1 / 30)
    return source, lambda: setattr(source, 'fault', Fault.STALL)


def unplug(make) -> float:
    """s from the end of the device to its diagnosis."""
    with tempfile.TemporaryDirectory() as folder:
        source, end = make(Path(folder))
        frames = []
        grabber = Grabber(
            source, lambda frame, facts: frames.append(frame), lambda text: None,
            frozen_after=1.0, stall_after=1.0, silent_after=0.3, backoff=Backoff(),
        )  # fmt: skip
        grabber.open(30.0)
        grabber.run()
        while len(frames) < 5:
            time.sleep(0.001)
        time.sleep(0.033 * np.random.default_rng().random())
        began = time.monotonic()
        end()
        while not grabber.health().problem:
            time.sleep(0.0005)
        passed = time.monotonic() - began
        grabber.close(5.0)
        return passed


def cpu() -> None:
    """The node in this process, with a subscriber of color and depth in another."""
    import rclpy
    from rclpy.executors import SingleThreadedExecutor
    from realsense_recording import record

    from vla_camera.node import CameraNode
    from vla_camera.sources.realsense import RealSenseSource

    with tempfile.TemporaryDirectory() as folder:
        path = f'{folder}/camera.db3'
        record(path, frames=60, period=1000 / 30, size=(640, 480), pace=0.005)
        source = RealSenseSource('', 0, 0, 0.0, recording=path, loop=True)
        rclpy.init()
        node = CameraNode(make_source=lambda params, robot: source)
        executor = SingleThreadedExecutor()
        executor.add_node(node)
        listener = _listener()
        node.trigger_configure()
        node.trigger_activate()
        process = psutil.Process()
        shares, end = [], time.monotonic() + SECONDS
        used, since, count = process.cpu_times(), time.monotonic(), node._grabber.health().frames
        first, begun = count, since
        while time.monotonic() < end:
            executor.spin_once(timeout_sec=0.05)
            if (now := time.monotonic()) - since >= 1.0:
                present = process.cpu_times()
                busy = present.user + present.system - used.user - used.system
                shares.append(100.0 * busy / (now - since))
                used, since = present, now
        rate = (node._grabber.health().frames - first) / (time.monotonic() - begun)
        listener.kill()
        listener.wait()
        _print('CPU of the process, % of one core', shares, 1.0)
        print(f'{rate:.1f} frames a second; load average {os.getloadavg()[0]:.1f}')
        print('reading the recording is in it')
        node.trigger_deactivate()
        node.trigger_cleanup()
        os._exit(0)


def _listener():
    import subprocess

    code = (
        'import rclpy\nfrom rclpy.node import Node\nfrom sensor_msgs.msg import Image\n'
        'from vla_common import qos\nrclpy.init()\nnode = Node("listener")\n'
        'for topic in ("color", "depth"):\n'
        '    node.create_subscription(Image, f"/camera/{topic}/image_raw", lambda m: None,'
        ' qos.IMAGE, raw=True)\nrclpy.spin(node)\n'
    )
    return subprocess.Popen([sys.executable, '-c', code])


def _print(name: str, values, scale: float) -> None:
    p50, p90, most = np.quantile(np.array(values) * scale, (0.5, 0.9, 1.0))
    print(f'{name}: p50 {p50:.0f}, p90 {p90:.0f}, largest {most:.0f} (n = {len(values)})')


def main() -> int:
    what = sys.argv[1] if len(sys.argv) > 1 else ''
    if what == 'cpu':
        cpu()
    elif what == 'unplug':
        for name, make in (
            ('v4l2', _v4l2), ('realsense', _realsense), ('zed', _zed), ('silence', _silent),
        ):  # fmt: skip
            _print(f'{name}, ms', [unplug(make) for _ in range(20)], 1000.0)
        print(f'load average {os.getloadavg()[0]:.1f}')
    else:
        print(__doc__)
        return 2
    return 0


if __name__ == '__main__':
    sys.exit(main())
