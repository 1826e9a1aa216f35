# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""`ros2 run vla_validation rates`: do the parts keep their rates on this machine?

It listens to a robot that is up and RUNNING; where none is, it brings the simulated one up itself
in a domain of its own, waits for RUNNING, measures, and takes it down again.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from vla_common.domains import domain_of_this_process, reserve_domain
from vla_validation.rates.processor_time import ProcessorTime

# What has to hold: (key, lowest, highest). A 200 Hz loop on a shared machine is allowed 2.5 %.
WANTED = [
    ('joint_states_hz', 195.0, 205.0),
    ('filter_hz', 97.5, 102.5),
    ('chunk_hz', 10.0, None),
    ('camera_hz', 15.0, None),
    ('real_time_factor', 0.98, 1.02),
]


@dataclass
class Stamps:
    """When one topic's messages were published: their stamps, s."""

    published: list[float] = field(default_factory=list)

    def rate(self) -> float | None:
        """Return messages per second from the publisher's stamps; None with fewer than two."""
        if len(self.published) < 2:
            return None
        span = self.published[-1] - self.published[0]
        return (len(self.published) - 1) / span if span > 0 else None


def distribution(values: np.ndarray) -> dict[str, float]:
    """Return p50, p99, max and n of `values`; empty input gives n = 0 only."""
    if len(values) == 0:
        return {'n': 0}
    return {
        'p50': round(float(np.percentile(values, 50)), 3),
        'p99': round(float(np.percentile(values, 99)), 3),
        'max': round(float(np.max(values)), 3),
        'n': len(values),
    }


def jitter_ms(published: list[float]) -> np.ndarray:
    """Return |period - median period| of each tick in ms."""
    periods = np.diff(np.asarray(published)) * 1e3
    return np.abs(periods - np.median(periods)) if len(periods) else periods


def verdict(rates: dict) -> list[str]:
    """Return what does not hold, in words; empty if all does."""
    failures = []
    for key, lowest, highest in WANTED:
        value = rates[key]
        if value is None:
            failures.append(f'{key}: nothing was received')
        elif not value >= lowest:
            failures.append(f'{key}: {value:.2f}, wanted at least {lowest:g}')
        elif highest is not None and not value <= highest:
            failures.append(f'{key}: {value:.2f}, wanted at most {highest:g}')
    return failures


def header_stamp(serialized: bytes) -> float:
    """Return header.stamp in s of a serialized message whose first field is a std_msgs/Header.

    CDR: four bytes say the encoding (the second one's lowest bit: little endian), then the fields
    in order: int32 sec, uint32 nanosec.
    """
    order = '<' if serialized[1] & 1 else '>'
    sec, nanosec = struct.unpack_from(f'{order}iI', serialized, 4)
    return sec + nanosec * 1e-9


class Listener:
    """Collects the stamps of what is measured."""

    def __init__(self) -> None:
        import rclpy
        from diagnostic_msgs.msg import DiagnosticArray
        from rclpy.experimental.events_executor import EventsExecutor
        from rclpy.node import Node
        from rclpy.signals import SignalHandlerOptions
        from rclpy.task import Future
        from sensor_msgs.msg import CameraInfo, JointState
        from trajectory_msgs.msg import JointTrajectory

        from vla_common import qos
        from vla_common.cdr import Reader
        from vla_interfaces.msg import DriverStatus, SupervisorState

        # Ctrl-C is main's: rclpy would end the context under the executor.
        rclpy.init(signal_handler_options=SignalHandlerOptions.NO)
        self._rclpy = rclpy
        self.node = Node('measure_rates')
        self.executor = EventsExecutor()  # the instrument must not load what it measures
        self._never = Future()
        self.executor.add_node(self.node)
        self.topics: dict[str, Stamps] = {}
        self.factors: list[float] = []
        self.mode: int | None = None
        self.measuring = False
        self.processors = ProcessorTime()

        def watch(name: str, kind: type, topic: str, profile: object) -> None:
            stamps = self.topics[name] = Stamps()

            def note(serialized: bytes) -> None:
                if self.measuring:
                    stamps.published.append(header_stamp(serialized))

            # Raw: turning 400 messages a second into Python objects would load what is measured.
            self.node.create_subscription(kind, topic, note, profile, raw=True)

        watch('joint_states', JointState, '/joint_states', qos.EVENT)
        watch('filter', JointState, '/joint_command', qos.EVENT)
        watch('camera', CameraInfo, '/camera/color/camera_info', qos.IMAGE)
        # A chunk is stamped with its observation's time, not its own: count arrivals.
        self.chunks: list[float] = []

        def note_chunk(serialized: bytes) -> None:
            if self.measuring:
                self.chunks.append(time.monotonic())

        self.node.create_subscription(
            JointTrajectory, '/vla/action_chunk', note_chunk, qos.EVENT, raw=True
        )
        status, state = Reader(DriverStatus, 'real_time_factor'), Reader(SupervisorState, 'mode')

        def note_factor(serialized: bytes) -> None:
            if self.measuring:
                self.factors += status.read(serialized)

        def note_mode(serialized: bytes) -> None:
            (self.mode,) = state.read(serialized)

        self.node.create_subscription(
            DriverStatus, '/hardware/status', note_factor, qos.STATE_SUB, raw=True
        )
        self.node.create_subscription(
            SupervisorState, '/supervisor/state', note_mode, qos.STATE_SUB, raw=True
        )
        self.node.create_subscription(
            DiagnosticArray, '/diagnostics', self._note_process, qos.EVENT
        )

    def _note_process(self, message: object) -> None:
        if not self.measuring:
            self.processors.on_diagnostics(message)

    def spin(self, seconds: float, until: Callable[[], bool] = lambda: False) -> bool:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if until():
                return True
            self.executor.spin_until_future_complete(self._never, 0.02)
        return until()

    def rates(self) -> dict:
        arrivals = self.chunks
        span = arrivals[-1] - arrivals[0] if len(arrivals) > 1 else 0.0
        published = self.topics['filter'].published
        return {
            'joint_states_hz': rounded(self.topics['joint_states'].rate()),
            'filter_hz': rounded(self.topics['filter'].rate()),
            'chunk_hz': rounded((len(arrivals) - 1) / span if span > 0 else None),
            'camera_hz': rounded(self.topics['camera'].rate()),
            'real_time_factor': rounded(float(np.median(self.factors)) if self.factors else None),
            'tick_jitter_ms': distribution(jitter_ms(published)),
            'cpu_percent': self.processors.percent(),
        }

    def close(self) -> None:
        self.executor.remove_node(self.node)
        self.executor.shutdown()
        self.node.destroy_node()
        self._rclpy.try_shutdown()


def rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)


class OwnRobot:
    """The simulated robot, brought up for the measurement in a domain of its own."""

    def __init__(self, seconds: float, verbose: bool) -> None:
        os.environ['ROS_DOMAIN_ID'], self._domain = reserve_domain(domain_of_this_process())
        command = ['ros2', 'launch', 'vla_bringup', 'humanoid.launch.py']
        command += [f'time_limit:={seconds + 60:.1f}', 'instruction:=wave with your left hand']
        out = None if verbose else subprocess.DEVNULL
        self._process = subprocess.Popen(command, stdout=out, stderr=out, start_new_session=True)

    def alive(self) -> bool:
        return self._process.poll() is None

    def close(self) -> None:
        if self.alive():
            self._process.send_signal(signal.SIGINT)
            try:
                self._process.wait(20)
            except subprocess.TimeoutExpired:
                os.killpg(self._process.pid, signal.SIGKILL)
        self._domain.__exit__(None, None, None)


def somebody_is_up() -> bool:
    """Whether a supervisor can be heard in this shell's domain."""
    listener = Listener()
    try:
        return listener.spin(1.5, lambda: listener.mode is not None)
    finally:
        listener.close()


def progress(text: str) -> None:
    if sys.stderr.isatty():
        print(f'\r\033[K{text}', end='', file=sys.stderr, flush=True)


def measure(seconds: float, wait: float, alive: Callable[[], bool]) -> tuple[dict | None, str]:
    """Return the rates, or None and why not."""
    from vla_common.scheduling import Priority, request_realtime
    from vla_common.states import Mode

    # An instrument that is kept from running counts what it lost as the robot's. Not before the own
    # robot was started: its processes would inherit the priority.
    request_realtime(Priority.MONITOR)
    listener = Listener()
    try:
        begin = time.monotonic()
        while listener.mode != Mode.RUNNING:
            listener.spin(0.5, lambda: listener.mode == Mode.RUNNING)
            mode = 'no supervisor' if listener.mode is None else Mode(listener.mode).name
            progress(f'waiting for RUNNING (now: {mode})')
            if not alive():
                return None, 'the launch ended; run it by hand to see why'
            if time.monotonic() - begin > wait:
                return None, f'not RUNNING after {wait:.0f} s (now: {mode}); give an instruction'
        listener.spin(2.0)  # what happens once, at the start of a motion, is not a rate
        listener.measuring = True
        listener.processors.begin()
        for second in range(int(np.ceil(seconds))):
            progress(f'measuring {second + 1} of {seconds:.0f} s')
            listener.spin(min(1.0, seconds - second))
        listener.measuring = False
        rates = listener.rates()
        progress('')
        return rates, ''
    finally:
        listener.close()


def table(rates: dict) -> str:
    rows = []
    for key, lowest, _ in WANTED:
        value = 'nothing received' if rates[key] is None else f'{rates[key]:.2f}'
        rows.append(f'  {key:<18} {value:>10}   (wanted ≥ {lowest:g})')
    jitter = rates['tick_jitter_ms']
    if jitter['n']:
        rows.append(
            f'  {"tick_jitter_ms":<18} p50 {jitter["p50"]:.3f}  p99 {jitter["p99"]:.3f}  '
            f'max {jitter["max"]:.3f}  n {jitter["n"]}'
        )
    spent = rates['cpu_percent']
    if spent:
        shares = ', '.join(f'{name} {share:.0f}' for name, share in spent.items())
        rows.append(f'  {"cpu, % of a core":<18} {sum(spent.values()):10.0f}   ({shares})')
    return '\n'.join(rows)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog='rates',
        description=__doc__.split('\n\n')[0]
        + ' Exit status 0: all rates held; 1: one did not; 2: not measured.',
        epilog=__doc__.split('\n\n', 1)[1],
    )
    parser.add_argument('--seconds', type=float, default=20.0, help='how long to measure')
    parser.add_argument('--wait', type=float, default=60.0, help='how long to wait for RUNNING')
    parser.add_argument('--json', action='store_true', help='one JSON object as the last line')
    parser.add_argument('--verbose', action='store_true', help="show the own launch's output")
    options = parser.parse_args(arguments)

    signal.signal(signal.SIGTERM, signal.default_int_handler)
    robot = None
    try:
        if not somebody_is_up():
            robot = OwnRobot(options.seconds, options.verbose)
        rates, why = measure(options.seconds, options.wait, robot.alive if robot else lambda: True)
    except KeyboardInterrupt:
        # It comes twice, from the terminal and through ros2 run, and the robot is still to be taken
        # down.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        rates, why = None, 'interrupted'
    finally:
        if robot is not None:
            progress('taking the robot down')
            robot.close()
            progress('')
    if rates is None:
        print(f'measure_rates: {why}', file=sys.stderr)
        if options.json:
            print(json.dumps({'error': why}))
        return 2
    failures = verdict(rates)
    if options.json:
        print(json.dumps(rates))
    else:
        print(table(rates))
    for failure in failures:
        print(f'did not hold: {failure}', file=sys.stderr)
    return 1 if failures else 0
