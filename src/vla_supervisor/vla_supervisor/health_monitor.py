# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""From what the nodes report to the conditions that core decides on. Pure: time is an argument."""

from collections.abc import Mapping

from vla_common.states import Behaviour, Level, Mode
from vla_supervisor.conditions import Condition, Reaction, refuse, soft
from vla_supervisor.decision import DriverReport, OperatorStep, SupervisorInputs
from vla_supervisor.endpoints import Endpoints
from vla_supervisor.heartbeats import Heartbeats
from vla_supervisor.lifecycle_manager import LifecycleManager
from vla_supervisor.node_reports import (
    BALANCE,
    CAMERA,
    DRIVER,
    FILTER,
    INFERENCE,
    BalanceReports,
    DriverReports,
    FilterReports,
    InferenceReports,
)
from vla_supervisor.preflight import Preflight
from vla_supervisor.processes import Processes
from vla_supervisor.severity import HealthLimits

__all__ = ['BALANCE', 'CAMERA', 'DRIVER', 'FILTER', 'INFERENCE', 'HealthLimits', 'HealthMonitor']


class HealthMonitor:
    """All that the supervisor knows about the rest of the robot."""

    def __init__(
        self,
        limits: HealthLimits,
        endpoints: Endpoints,
        nodes: LifecycleManager,
        processes: Processes | None = None,
        preflight: Preflight | None = None,
    ) -> None:
        self._limits = limits
        self.preflight = preflight or Preflight(required=False)
        self.processes = processes or Processes()
        self.endpoints = endpoints
        self.nodes = nodes
        self.heartbeats = Heartbeats(limits.timeouts)
        self._driver = DriverReports(limits)
        self._balance = BalanceReports(limits)
        self._filter = FilterReports(limits)
        self._inference = InferenceReports(limits)
        self._duplicates: dict[str, int] = {}
        self._mode = Mode.INACTIVE
        self._stalled = (0.0, '')  # s, and as text; not yet a condition
        self.stalls, self.last_stall = 0, ''
        self._once_alive: set[str] = set()  # active and received at some time

    # -- reports: each returns True if it should be decided on at once ----------------------------

    def on_driver(
        self,
        now: float,
        sequence: int,
        report: DriverReport,
        reason: str,
        fault: str | None,
        sensors: tuple[str, str, bool] = ('', '', False),
    ) -> bool:
        """A DriverStatus; ``fault`` is its detail, or None; ``sensors``: its `sensor_disagreement`,
        `sensor_detail` and `sensors_unconfirmed`."""
        return self._beat(DRIVER, now, sequence) and self._driver.update(
            now, self._mode, report, reason, fault, sensors
        )

    def on_balance(self, now: float, sequence: int, level: int, cause: str, fallen: bool) -> bool:
        """A BalanceState."""
        return self._beat(BALANCE, now, sequence) and self._balance.update(
            now, level, cause, fallen
        )

    def on_filter(self, now: float, sequence: int, state: int, level: int, reason: str) -> bool:
        """A SafetyStatus."""
        return self._beat(FILTER, now, sequence) and self._filter.update(
            now, self._mode, state, level, reason
        )

    def on_camera(
        self, now: float, stamp_ns: int, wall_ns: int | None = None, node: str = CAMERA
    ) -> bool:
        """A CameraInfo; its stamp is the sequence. wall_ns: the ROS clock. node: whose it is."""
        self._beat(node, now, stamp_ns, wall_ns)
        return False

    def on_inference(
        self, now: float, sequence: int, state: int, reason: str, finished: int, frozen: bool
    ) -> bool:
        """An InferenceStatus."""
        return self._beat(INFERENCE, now, sequence) and self._inference.update(
            now, self._mode, state, reason, finished, frozen
        )

    def _beat(self, source: str, now: float, sequence: int, wall_ns: int | None = None) -> bool:
        if source not in self._limits.timeouts:  # this robot has no such node
            return False
        if not self.heartbeats.beat(source, now, sequence, wall_ns):
            return False
        self.processes.on_heartbeat(now, source)
        return True

    def on_publishers(self, counts: Mapping[str, int]) -> bool:
        """How many publishers each topic has that may have only one."""
        duplicates = {topic: n for topic, n in counts.items() if n > 1}
        new = duplicates.keys() - self._duplicates.keys()
        self._duplicates = duplicates
        return bool(new)

    def on_stall(self, duration: float, now: float, why: str = '') -> None:
        """Until ``now`` this process did not run for ``duration`` s; why: text for the operator."""
        self.heartbeats.credit_stall(duration, now)
        text = f'{1e3 * duration:.0f} ms' + (f' ({why})' if why else '')
        self.stalls, self.last_stall = self.stalls + 1, text
        self._stalled = max(self._stalled, (duration, text))

    def on_mode(self, mode: Mode) -> None:
        """The decision made on the last inputs."""
        for reports in (self._driver, self._filter, self._inference):
            reports.on_mode(self._mode, mode)
        self._mode = mode

    # -- the state of the robot -------------------------------------------------------------------

    def inputs(self, now: float, steps: frozenset[OperatorStep] = frozenset()) -> SupervisorInputs:
        """Everything that is true at ``now``."""
        mode, fresh = self._mode, self.heartbeats.fresh
        driver_received = self.heartbeats.received(DRIVER, now)
        conditions = self._node_conditions(now)
        conditions += self._driver.conditions(now, mode, fresh(DRIVER, now))
        if BALANCE in self._limits.timeouts:
            conditions += self._balance.conditions(now, fresh(BALANCE, now))
        conditions += self._filter.conditions(now, mode, fresh(FILTER, now))
        conditions += self._inference.conditions(self.nodes.was_up(INFERENCE))
        conditions += self.endpoints.conditions(now)
        conditions += self.preflight.conditions(now)
        for topic, n in sorted(self._duplicates.items()):
            conditions.append(
                soft(
                    f'duplicate_publisher:{topic}',
                    topic,
                    f'{n} publishers on {topic}, wanted 1',
                    'the others end',
                )
            )
        (stalled, text), self._stalled = self._stalled, (0.0, '')
        if stalled > self._limits.stall_stop_after and mode is Mode.RUNNING:
            # The driver has stopped by itself meanwhile; never let that motion continue.
            limit = 1e3 * self._limits.stall_stop_after
            conditions.append(
                soft(
                    'supervisor_stalled',
                    'supervisor',
                    f'the supervisor did not run for {text}, limit {limit:.0f} ms',
                    'resume; reduce the load of the computer',
                )
            )
        return SupervisorInputs(
            conditions=tuple(conditions),
            nodes_active=self.nodes.all_active,
            driver=self._driver.report if driver_received else None,
            policy_ready=self._inference.policy_ready and fresh(INFERENCE, now),
            instruction_ended=self._inference.take_ended(mode),
            slow_down=self._balance.severity.slow(now) or self._filter.severity.slow(now),
            steps=steps,
        )

    def _node_conditions(self, now: float) -> list[Condition]:
        found: list[Condition] = []
        for name in self.nodes.restarted():
            self.heartbeats.restarted(name)
        for name in self._limits.timeouts:
            if self.nodes.is_active(name) and self.heartbeats.fresh(name, now):
                self._once_alive.add(name)
            silence = self.heartbeats.silence(name, now)
            why_not = self.nodes.why_not(name)
            gone, stopped = self.processes.gone(name), self.processes.stopped(name)
            if silence is None and not (why_not or gone or stopped):
                continue
            if name not in self._once_alive:
                # It starts for the first time: nothing is lost that ever was there.
                found.append(
                    refuse(
                        f'node_inactive:{name}',
                        name,
                        why_not or silence or gone or stopped,
                        'it becomes active; if it failed: fix what it names, then arm',
                    )
                )
                continue
            reaction = Reaction.DRIVER_LOST if name == DRIVER else Reaction.SOFT_STOP
            level = Level.EMERGENCY if name == DRIVER else Level.DANGER
            if gone:
                kind, detail = 'node_lost', gone
            elif stopped:
                kind, detail = 'node_stale', stopped
            elif not self.nodes.is_present(name):
                kind, detail = 'node_lost', silence or why_not
            elif silence is not None and self.nodes.is_active(name):
                kind, detail = 'node_stale', silence
                self.nodes.doubt(now, name)
            else:
                kind, detail = 'node_inactive', why_not
            clears = 'the node is active again and publishes'
            found.append(Condition(f'{kind}:{name}', name, detail, clears, reaction, level))
        return found

    def active(self, now: float) -> list[str]:
        """Nodes that are active and alive."""
        return [n for n in self.nodes.active if self._alive(n, now)]

    def missing(self, now: float) -> list[str]:
        """'<node>: <reason>' for every node that is not active, or not alive."""
        return [
            f'{name}: '
            + (
                self.processes.gone(name)
                or self.processes.stopped(name)
                or self.nodes.why_not(name)
                or self.heartbeats.silence(name, now)
                or ''
            )
            for name in self._limits.timeouts
            if self.nodes.why_not(name) or not self._alive(name, now)
        ]

    def _alive(self, name: str, now: float) -> bool:
        """Received within its timeout, and its process is not known to be gone or stopped."""
        return self.received(name, now) and not self.processes.stopped(name)

    def received(self, name: str, now: float) -> bool:
        """Received within its timeout, and its process is not known to be gone."""
        return not self.processes.gone(name) and self.heartbeats.fresh(name, now)

    def driver_at_rest(self, now: float) -> bool:
        """The stop of this mode is finished, or the driver is lost and cannot finish it."""
        report = self._driver.report
        if not self.heartbeats.fresh(DRIVER, now) or report is None:
            return True
        if self._mode is Mode.SAFE_STOP:
            return report.standing and report.at_rest
        return report.behaviour != Behaviour.TRACK and report.at_rest
