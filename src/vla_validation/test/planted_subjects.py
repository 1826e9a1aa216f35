# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Subjects of the fuzzer with planted mistakes, by seed."""

import ctypes
import os
import time

from vla_common.errors import ConfigError
from vla_validation.fuzz.outcome import SilentlyAccepted, UnexpectedMotion, assess

WORKS, REFUSED, SILENT, TRACEBACK, HANG, MOTION, DIES, ACCEPTED, LONG, CRASHES = range(10)


class Planted:
    def run(self, seed):
        def work():
            if seed == REFUSED:
                raise ConfigError('robot.yaml', 'joints', 'none', 'some')
            if seed == SILENT:
                raise SilentlyAccepted('an unknown key')
            if seed == TRACEBACK:
                raise KeyError('joints')
            if seed == HANG:
                time.sleep(60.0)
            if seed == MOTION:
                raise UnexpectedMotion('moves in ESTOP')
            if seed == DIES:
                os._exit(3)
            if seed == LONG:
                raise ConfigError('another file', '', '', '')
            if seed == CRASHES:
                ctypes.string_at(0)

        return assess(work, f'mistake {seed}', must_refuse=seed == ACCEPTED)


class Unprepared:
    def __init__(self):
        raise RuntimeError('no robot here')
