# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Doubles of the five supervised nodes: they send heartbeats, freeze, die, fail to configure.

Each is a real lifecycle node with its own context-wide name; its heartbeat is sent by a timer, and
its content is `message`, which the test sets.
"""

import gc
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import rclpy
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from rclpy.clock import Clock, ClockType
from rclpy.executors import SingleThreadedExecutor
from rclpy.lifecycle import LifecycleNode, TransitionCallbackReturn
from rclpy.task import Future
from sensor_msgs.msg import CameraInfo

from vla_common import qos
from vla_common.cameras import heartbeat_topic, is_camera_node, with_cameras
from vla_common.clock import first_sequence
from vla_interfaces.msg import (
    BalanceState,
    DriverStatus,
    InferenceStatus,
    SafetyStatus,
    SupervisorState,
)

PROFILE = Path(__file__).parents[3] / 'config' / 'fastdds.xml'

KIND = {
    'hardware_driver': (DriverStatus, 0.04),
    'balance_monitor': (BalanceState, 0.1),
    'camera': (CameraInfo, 0.1),
    'safety_filter': (SafetyStatus, 0.1),
    'inference': (InferenceStatus, 0.1),
}
"""Type and period (s) of each heartbeat: slower than the nodes, because six of them and their
observer share one process. A tenth of what the tests take for silence."""


TRACKING = 1  # SafetyStatus.state


class Double(LifecycleNode):
    """One supervised node."""

    def __init__(self, name, context, **options):
        super().__init__(name, context=context, start_parameter_services=False)
        kind, period = KIND['camera' if is_camera_node(name) else name]
        self.configure_error = options.get('configure_error', '')
        self.configures = 0
        self.beating = True
        self.frozen = False  # still publishes, always the same
        self.message = kind()
        if name == 'safety_filter':
            self.message.state = TRACKING  # or a robot in RUNNING counts as starved of chunks
        self.active = False
        self._sequence = first_sequence()
        self._publisher = self.create_publisher(
            kind, heartbeat_topic(name), qos.IMAGE if kind is CameraInfo else qos.STATE
        )
        self._diagnostics = self.create_publisher(DiagnosticArray, '/diagnostics', 10)
        self.create_timer(period, self.beat, clock=Clock(clock_type=ClockType.STEADY_TIME))

    def beat(self):
        if not (self.active and self.beating):
            return
        if not self.frozen:
            self.message.header.stamp = self.get_clock().now().to_msg()
            if hasattr(self.message, 'sequence'):
                self._sequence += 1
                self.message.sequence = self._sequence
        self._publisher.publish(self.message)

    def on_configure(self, state):
        self.configures += 1
        if self.configure_error:
            status = DiagnosticStatus(
                name=f'{self.get_name()}: lifecycle',
                level=DiagnosticStatus.ERROR,
                message=f'configure failed: {self.configure_error}',
            )
            self._diagnostics.publish(DiagnosticArray(status=[status]))
            return TransitionCallbackReturn.FAILURE
        return TransitionCallbackReturn.SUCCESS

    def on_activate(self, state):
        self.active = True
        return super().on_activate(state)

    def on_deactivate(self, state):
        self.active = False
        return super().on_deactivate(state)


class Driver(Double):
    """The driver obeys the supervisor at once, unless `obeys` is False."""

    def __init__(self, name, context, **options):
        super().__init__(name, context, **options)
        self.obeys = True
        self.message.standing = True
        self.message.at_rest = True
        self.message.behaviour_done = True
        self.create_subscription(
            SupervisorState, '/supervisor/state', self._on_supervisor, qos.STATE_SUB
        )

    def _on_supervisor(self, state):
        if self.obeys:
            self.message.behaviour = state.behaviour
            self.message.at_rest = state.mode != SupervisorState.RUNNING
            self.message.behaviour_done = self.message.at_rest


def make(name, context, **options):
    """The double of this name."""
    return (Driver if name == 'hardware_driver' else Double)(name, context, **options)


class Robot:
    """All five doubles: threads of this process, or (to be killed for real) one of their own."""

    def __init__(self, ros, in_process=(), cameras=('',), **options):
        self.ros = ros
        self.nodes = {}
        self._threads = {}
        self._processes = {}
        for name in with_cameras(KIND, cameras):
            if name in in_process:
                self.start_process(name)
            else:
                self._spin(make(name, ros.context, **options.get(name, {})))

    def _spin(self, node):
        executor = SingleThreadedExecutor(context=self.ros.context)
        executor.add_node(node)
        running = {'on': True, 'hung': False}

        def loop():
            never = Future()
            while running['on'] and self.ros.context.ok():
                if running['hung']:
                    time.sleep(0.01)
                else:
                    executor.spin_until_future_complete(never, 0.05)
            executor.remove_node(node)
            executor.shutdown()

        thread = threading.Thread(target=loop, daemon=True)
        thread.start()
        self.nodes[node.get_name()] = node
        self._threads[node.get_name()] = (running, thread)

    def start_process(self, name):
        """(Re)start one node as launch's respawn would: a fresh process, unconfigured."""
        # The lease that a process announces is how long the others list it: short here.
        environment = dict(os.environ, FASTRTPS_DEFAULT_PROFILES_FILE=str(PROFILE))
        self._processes[name] = subprocess.Popen([sys.executable, __file__, name], env=environment)

    def kill(self, name):
        """SIGKILL."""
        process = self._processes.pop(name)
        process.kill()
        process.wait()

    def hang(self, name, hung=True):
        """Like SIGSTOP: on the graph, and answering nothing."""
        self._threads[name][0]['hung'] = hung

    def close(self):
        for name in list(self._processes):
            self.kill(name)
        for running, thread in self._threads.values():
            running['on'] = False
            thread.join(5.0)
        while self.nodes:
            self.nodes.popitem()[1].destroy_node()
        # A lifecycle node's state machine keeps its name on the graph until it is collected.
        gc.collect()


if __name__ == '__main__':
    rclpy.init()
    double = make(sys.argv[1], rclpy.get_default_context())
    rclpy.spin(double)
