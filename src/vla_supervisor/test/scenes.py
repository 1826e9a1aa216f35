# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Values that several tests start from."""

from dataclasses import replace

from vla_common.states import Behaviour, EstopBehaviour, Mode
from vla_supervisor.core import Supervisor
from vla_supervisor.decision import (
    DriverReport,
    OperatorStep,
    StopLimits,
    SupervisorConfig,
    SupervisorInputs,
)
from vla_supervisor.lifecycle_manager import Timing

TIMING = Timing(
    query_timeout=1.0,
    configure_timeout=60.0,
    activate_timeout=10.0,
    poll_period=1.0,
    order_patience=5.0,
    backoff_first=0.5,
    backoff_longest=4.0,
)

CONFIG = SupervisorConfig(
    safe_stop=StopLimits(0.3, 1.8, 1.5, 4.0, 0.2),
    estop=StopLimits(0.3, 2.0, 1.5, 6.0, 0.2),
    estop_behaviour=EstopBehaviour.DAMP,
    estop_off_after=5.0,
    danger_speed_scale=0.5,
    auto_arm=False,
)

STANDING = DriverReport(
    behaviour=Behaviour.HOLD, behaviour_done=True, standing=True, at_rest=True, max_joint_speed=0.01
)
MOVING = replace(STANDING, standing=False, at_rest=False, behaviour_done=False, max_joint_speed=3.0)
TRACKING = replace(MOVING, behaviour=Behaviour.TRACK)

FINE = SupervisorInputs(nodes_active=True, driver=STANDING, policy_ready=True)

WAY = {
    Mode.INACTIVE: (),
    Mode.READY: (OperatorStep.ARM,),
    Mode.RUNNING: (OperatorStep.ARM, OperatorStep.START),
    Mode.SAFE_STOP: (OperatorStep.ARM, OperatorStep.SAFE_STOP),
    Mode.ESTOP: (OperatorStep.ESTOP,),
}


def supervisor_in(mode: Mode, config: SupervisorConfig = CONFIG, now: float = 0.0) -> Supervisor:
    """A supervisor brought to ``mode`` by an operator's steps, all at ``now``."""
    supervisor = Supervisor(config)
    supervisor.update(now, FINE)
    for step in WAY[mode]:
        _, answer = supervisor.request(now, step, FINE)
        assert answer.success, answer.message
    assert supervisor.mode is mode
    return supervisor


def but(**changes: object) -> SupervisorInputs:
    """Inputs that are fine but for ``changes``."""
    return replace(FINE, **changes)
