# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The double of an SO-101 on the wire: servos with registers, behind a pseudo terminal.

It misbehaves on request: late, silent, in single bytes, with wrong checksums, rebooted, unplugged.
"""

from __future__ import annotations

import json
import os
import select
import threading
import time
import tty
from pathlib import Path
from typing import Any, Self

import numpy as np
import yaml

from vla_hardware.drivers import feetech
from vla_hardware.drivers.base import Driver
from vla_hardware.drivers.so101_arm import STEP, STS3215, Servo, read_calibration
from vla_robot import RobotModel

LAG = 0.02  # s of a joint behind its goal
PERIOD = 0.002  # s in which joints are moved


class FeetechServo:
    """The registers of one servo, and its joint."""

    def __init__(self, servo: Servo, start: float) -> None:
        self.servo = servo
        self.registers = bytearray(128)
        self.steps = float(servo.zero + servo.sign * start / STEP)
        self.error = 0
        self.silent = False
        self._put(feetech.MODEL, STS3215)
        self._put(feetech.MIN_POSITION, servo.lowest)
        self._put(feetech.MIN_POSITION + 2, servo.highest)
        offset = servo.homing_offset
        self._put(feetech.HOMING_OFFSET, abs(offset) | (0x800 if offset < 0 else 0))
        self.reboot()

    def _put(self, address: int, value: int) -> None:
        self.registers[address : address + 2] = feetech.two_bytes(value)

    def reboot(self) -> None:
        """Volatile registers are those of a servo that was just switched on: torque off."""
        self.registers[feetech.TORQUE_ENABLE] = 0
        self._put(feetech.GOAL_POSITION, round(self.steps))

    @property
    def stiff(self) -> bool:
        return bool(self.registers[feetech.TORQUE_ENABLE]) and not self.error

    def advance(self, dt: float) -> None:
        """Let its joint follow the goal, and write what is measured into the registers."""
        before = self.steps
        if self.stiff and feetech.number(self.registers, feetech.GOAL_POSITION + 6) > 0:
            goal = feetech.number(self.registers, feetech.GOAL_POSITION, 15)
            self.steps += (goal - self.steps) * (1.0 - np.exp(-dt / LAG))
        speed = round((self.steps - before) / max(dt, 1e-4))
        at = feetech.PRESENT_POSITION
        self._put(at, round(self.steps))
        self._put(at + 2, min(abs(speed), 0x7FFF) | (0x8000 if speed < 0 else 0))
        self.registers[feetech.STATUS] = self.error

    def read(self, address: int, count: int) -> bytes:
        data = bytes(self.registers[address : address + count])
        return feetech.Packet(self.servo.id, self.error, data).encode()

    def write(self, address: int, data: bytes) -> bool:
        """Whether it moves or holds the joint: a goal or torque."""
        self.registers[address : address + len(data)] = data
        if address == feetech.TORQUE_ENABLE:
            return bool(data[0])
        return address == feetech.GOAL_POSITION


class FeetechBus:
    """See the module and `DriverDouble`.

    delay: s before each answer. piece: bytes of each write to the wire; 0 for all at once.
    damage: each how-manieth answer has a wrong checksum; 0 for none.
    """

    what = 'servos with registers on a pseudo terminal'
    has_wire = True
    error_states = ('overload', 'overheated', 'voltage', 'restarted servo')

    def __init__(self, robot: RobotModel, folder: Path) -> None:
        self.path = folder / 'ttyARM'
        calibration = folder / 'arm.json'
        calibration.write_text(json.dumps(calibration_of(robot)))
        config = folder / 'so101.yaml'
        config.write_text(yaml.safe_dump({'port': str(self.path), 'calibration': 'arm.json'}))
        self.params: dict[str, Any] = {'driver_config': str(config)}
        self._names = robot.joint_names
        servos = read_calibration(calibration, robot, ['gripper'])
        pose = robot.poses['standing']
        self.servos = {
            servo.id: FeetechServo(servo, float(pose[robot.index[servo.name]])) for servo in servos
        }
        self.delay, self.piece, self.damage = 0.0, 0, 0
        self.received = self.answers = 0
        self._frozen = False
        self._lock = threading.RLock()
        self._end = threading.Event()
        self._cpu = 0.0
        self._terminal: tuple[int, int] | None = None
        self._reader = feetech.PacketReader()
        self.plug_cable()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    @classmethod
    def start(cls, robot: RobotModel, folder: Path) -> Self:
        return cls(robot, folder)

    # -- the wire --------------------------------------------------------------------------

    def plug_cable(self) -> None:
        with self._lock:
            if self._terminal is None:
                master, slave = os.openpty()
                tty.setraw(slave)
                self.path.unlink(missing_ok=True)
                self.path.symlink_to(os.ttyname(slave))
                os.set_blocking(master, False)
                self._terminal = master, slave
                self._reader.clear()

    def pull_cable(self) -> None:
        with self._lock:
            if self._terminal is not None:
                self.path.unlink(missing_ok=True)
                for end in self._terminal:
                    os.close(end)
                self._terminal = None

    def _run(self) -> None:
        before = time.monotonic()
        while not self._end.is_set():
            with self._lock:
                now = time.monotonic()
                for servo in self.servos.values():
                    servo.advance(now - before)
                before = now
                master = self._terminal[0] if self._terminal else None
                if master is not None:
                    self._serve(master)
            if master is None:
                time.sleep(PERIOD)
            else:
                try:
                    select.select([master], [], [], PERIOD)
                except (OSError, ValueError):  # pulled meanwhile
                    time.sleep(PERIOD)
            self._cpu = time.thread_time()

    def _serve(self, master: int) -> None:
        try:
            received = os.read(master, 4096)
        except BlockingIOError:
            return
        except OSError:  # nobody has the other end open
            time.sleep(PERIOD)
            return
        for packet in self._reader.feed(received):
            answer = self._answer(packet)
            if answer and not self._frozen:
                self._send(master, answer)

    def _send(self, master: int, answer: bytes) -> None:
        time.sleep(self.delay)
        step = self.piece or len(answer)
        for at in range(0, len(answer), step):
            os.write(master, answer[at : at + step])

    def _answer(self, packet: feetech.Packet) -> bytes:
        data, out = packet.data, b''
        match packet.code:
            case feetech.SYNC_READ:
                for servo_id in data[2:]:
                    out += self._read(servo_id, data[0], data[1])
            case feetech.READ:
                out = self._read(packet.servo, data[0], data[1])
            case feetech.PING:
                out = self._read(packet.servo, 0, 0)
            case feetech.SYNC_WRITE:
                size = data[1] + 1
                moves = False
                for at in range(2, len(data), size):
                    servo = self.servos.get(data[at])
                    if servo is not None and not servo.silent:
                        moves |= servo.write(data[0], data[at + 1 : at + size])
                self.received += moves
        return out

    def _read(self, servo_id: int, address: int, count: int) -> bytes:
        servo = self.servos.get(servo_id)
        if servo is None or servo.silent:
            return b''
        answer = bytearray(servo.read(address, count))
        self.answers += 1
        if self.damage and self.answers % self.damage == 0:
            answer[-1] ^= 0x55
        return bytes(answer)

    # -- DriverDouble ----------------------------------------------------------------------

    def attach(self, driver: Driver) -> Driver:
        return driver

    def position(self) -> np.ndarray:
        with self._lock:
            by_name = {s.servo.name: s.servo.radians(s.steps) for s in self.servos.values()}
        return np.array([by_name[name] for name in self._names])

    def stiff(self) -> bool:
        with self._lock:
            return any(servo.stiff for servo in self.servos.values())

    def commands(self) -> int:
        with self._lock:
            return self.received

    def freeze(self, frozen: bool) -> None:
        self._frozen = frozen

    def enter(self, state: str) -> None:
        servo = next(iter(self.servos.values()))
        bits = {'voltage': 0x01, 'overheated': 0x04, 'overload': 0x20}
        with self._lock:
            servo.error = bits.get(state, 0)
            if state:
                servo.reboot()  # each of them ends with the torque off

    def cpu_seconds(self) -> float:
        """s of processor time of its thread."""
        return self._cpu

    def close(self) -> None:
        self._end.set()
        self._thread.join(2.0)
        self.pull_cable()


def calibration_of(robot: RobotModel) -> dict[str, dict[str, int]]:
    """A calibration, as LeRobot writes it, of an arm whose joints have the range of the URDF."""
    content = {}
    for number, name in enumerate(robot.joint_names, start=1):
        lower, upper = float(robot.limits.lower[number - 1]), float(robot.limits.upper[number - 1])
        reach = max(abs(lower), abs(upper)) if name != 'gripper' else 0.5 * (upper - lower)
        half = int(reach / STEP) + 1
        middle = feetech.TURN // 2 - 1
        content[name] = {
            'id': number,
            'drive_mode': 0,
            'homing_offset': 100 * number if number % 2 else -100 * number,
            'range_min': max(middle - half, 0),
            'range_max': min(middle + half, feetech.TURN - 1),
        }
    return content
