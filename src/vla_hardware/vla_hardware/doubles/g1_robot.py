# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""A Unitree G1 at the level of its messages, in a process and a ROS domain of its own.

`python -m vla_hardware.doubles.g1_robot`. The first line of standard input is its configuration,
each further one a command; it answers each with a line. JSON.

Its motors follow their target with a lag, weighted as /arm_sdk is. What a real one does when the
commands end is not published: here it keeps the last one, or damps after 50 ms, by option.
"""

from __future__ import annotations

import json
import queue
import sys
import threading
import time
from typing import Any

import numpy as np
import rclpy
from unitree_api.msg import Request, Response
from unitree_hg.msg import LowCmd, LowState

from vla_common import qos
from vla_common.clock import steady_now
from vla_common.polled_topic import received
from vla_hardware.drivers.unitree import motion_service
from vla_hardware.drivers.unitree.link import COMMAND_TOPICS, STATE_TOPIC
from vla_hardware.drivers.unitree.motors import MOTORS, UPPER
from vla_hardware.drivers.unitree.wire import (
    COMMAND,
    LOW_STATE,
    STATE,
    WEIGHT,
    crc_is_right,
    remote_bytes,
)

PERIOD = 0.004  # s; the robot's is 0.002
LAG = 0.02  # s
SILENT = 0.05  # s without commands after which it damps, by option


class G1Robot:
    """given: mode (arm_sdk, low_level), mode_machine, domain_id, start (29 rad), service (name of
    the active motion service), on_silence (keep, damp)."""

    def __init__(self, given: dict[str, Any]) -> None:
        self._given = given
        context = rclpy.Context()
        rclpy.init(context=context, domain_id=given['domain_id'])
        self._node = node = rclpy.create_node('g1', context=context, enable_rosout=False)
        self._weighted = given['mode'] == 'arm_sdk'
        self._topic = COMMAND_TOPICS[given['mode']]
        self._states = node.create_publisher(LowState, STATE_TOPIC, qos.STATE)
        self._commands = node.create_subscription(
            LowCmd, self._topic, lambda message: None, qos.EVENT, raw=True
        )
        self._requests = node.create_subscription(
            Request, motion_service.REQUEST, lambda message: None, qos.EVENT
        )
        self._responses = node.create_publisher(Response, motion_service.RESPONSE, qos.EVENT)
        self._service = given['service']
        self._other: Any = None
        self._state = np.zeros((), LOW_STATE)
        self._state['mode_machine'] = given['mode_machine']
        self._state['imu_state']['quaternion'][0] = 1.0
        self._state['imu_state']['accelerometer'][2] = 9.81
        self._q = np.array(given['start'], float)
        self._motors: np.ndarray | None = None  # the command in force
        self._commanded_at = 0.0
        self._tick = 100_000
        self._received = self._rejected = 0
        self._frames = 0  # all commands, damping too
        self._misbehaviour = ''
        self._pulled = self._frozen = False

    # -- the motors ------------------------------------------------------------------------

    def _take_commands(self) -> None:
        for message, _ in received(self._commands, serialized=True):
            if self._pulled:
                continue
            record = COMMAND.read(message)
            if not crc_is_right(record) or record['mode_machine'] != self._state['mode_machine']:
                self._rejected += 1
                continue
            self._frames += 1
            self._motors, self._commanded_at = record['motor_cmd'], steady_now()
            self._received += self.stiff

    @property
    def weight(self) -> float:
        if self._motors is None:
            return 0.0
        return float(self._motors[WEIGHT]['q']) if self._weighted else 1.0

    @property
    def stiff(self) -> bool:
        """Whether our command holds or moves a joint."""
        if self._motors is None or self.weight <= 0.0:
            return False
        return bool(((self._motors['mode'] == 1) & (self._motors['kp'] > 0.0)).any())

    def _move(self) -> None:
        if self._given['on_silence'] == 'damp' and steady_now() - self._commanded_at > SILENT:
            self._motors = None
        dq = np.zeros(len(MOTORS))
        if self._motors is not None:
            ours = self._motors[: len(MOTORS)]
            held = (ours['mode'] == 1) & (ours['kp'] > 0.0)
            if self._weighted:
                held[:UPPER] = False
            step = np.where(held, (ours['q'] - self._q) * (PERIOD / LAG) * self.weight, 0.0)
            self._q += step
            dq = step / PERIOD
        motors = self._state['motor_state'][: len(MOTORS)]
        motors['q'], motors['dq'], motors['mode'] = self._q, dq, 1

    # -- messages --------------------------------------------------------------------------

    def _answer_requests(self) -> None:
        for request, _ in received(self._requests):
            if self._pulled:
                continue
            response, data = Response(), ''
            match request.header.identity.api_id:
                case motion_service.CHECK_MODE:
                    data = json.dumps({'form': '0', 'name': self._service})
                case motion_service.RELEASE_MODE:
                    self._service = ''
                case motion_service.SELECT_MODE:
                    self._service = json.loads(request.parameter)['name']
                case _:
                    response.header.status.code = 3203
            response.header.identity = request.header.identity
            response.data = data
            self._responses.publish(response)

    def _publish(self) -> None:
        if self._pulled:
            return
        if not self._frozen:
            self._tick += -1 if self._misbehaviour == 'tick back' else 4
        state = self._state
        state['tick'] = self._tick
        message = bytearray(STATE.write(state))
        if self._misbehaviour == 'wrong crc':
            message[-1] ^= 0x40
        self._states.publish(bytes(message))

    def do(self, what: str) -> dict[str, Any]:
        """Carry out a command, return the state."""
        state = self._state
        match what:
            case 'pull' | 'plug':
                self._pulled = what == 'pull'
            case 'freeze' | 'thaw':
                self._frozen = what == 'freeze'
            case 'wrong crc' | 'tick back':
                self._misbehaviour = what
            case 'remote stop':
                state['wireless_remote'] = list(remote_bytes({'L2', 'B'}))
            case 'mode changed':
                state['mode_machine'] = 7
            case 'motor error':
                state['motor_state']['motorstate'][15] = 0x10
            case 'restart':
                self._tick, self._motors = 0, None
            case 'two writers':
                self._other = self._node.create_publisher(LowCmd, self._topic, qos.COMMAND)
            case 'end':
                self._misbehaviour = ''
                state['wireless_remote'] = 0
                state['mode_machine'] = self._given['mode_machine']
                state['motor_state']['motorstate'] = 0
                if self._other is not None:
                    self._node.destroy_publisher(self._other)
                    self._other = None
        return {
            'position': self._q.tolist(),
            'stiff': self.stiff,
            'commands': self._received,
            'frames': self._frames,
            'rejected': self._rejected,
            'weight': self.weight,
            'service': self._service,
        }

    def run(self) -> None:
        """Until the end of standard input."""
        lines: queue.Queue[str | None] = queue.Queue()

        def listen() -> None:
            for line in sys.stdin:
                lines.put(line)
            lines.put(None)

        threading.Thread(target=listen, daemon=True).start()
        while True:
            while not lines.empty():
                line = lines.get()
                if line is None:
                    return
                print(json.dumps(self.do(json.loads(line))), flush=True)
            self._take_commands()
            self._move()
            self._answer_requests()
            self._publish()
            time.sleep(PERIOD)


def main() -> None:
    robot = G1Robot(json.loads(sys.stdin.readline()))
    print(json.dumps(robot.do('')), flush=True)
    robot.run()


if __name__ == '__main__':
    main()
