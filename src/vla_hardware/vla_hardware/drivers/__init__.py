# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""What stands between the servo loop and a robot.

A driver for a real robot implements `Driver` and gets a line in `make_driver`; nothing else of
this package knows which robot is there.
"""

from __future__ import annotations

from vla_hardware.drivers.base import Driver, DriverError, Gains

__all__ = ['Driver', 'DriverError', 'Gains']
