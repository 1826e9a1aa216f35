# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Stand-in for ROS 2 Jazzy's ``diagnostic_updater`` (Python).

Same names and semantics as release 4.0, written for this workspace and used only where the real
package is missing.
"""

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue

from ._diagnostic_status_wrapper import DiagnosticStatusWrapper
from ._diagnostic_updater import (
    CompositeDiagnosticTask,
    DiagnosticTask,
    DiagnosticTaskVector,
    FunctionDiagnosticTask,
    Updater,
)
from ._publisher import DiagnosedPublisher, HeaderlessTopicDiagnostic, TopicDiagnostic
from ._update_functions import (
    FrequencyStatus,
    FrequencyStatusParam,
    Heartbeat,
    TimeStampStatus,
    TimeStampStatusParam,
)

__all__ = [
    'CompositeDiagnosticTask',
    'DiagnosedPublisher',
    'DiagnosticArray',
    'DiagnosticStatus',
    'DiagnosticStatusWrapper',
    'DiagnosticTask',
    'DiagnosticTaskVector',
    'FrequencyStatus',
    'FrequencyStatusParam',
    'FunctionDiagnosticTask',
    'HeaderlessTopicDiagnostic',
    'Heartbeat',
    'KeyValue',
    'TimeStampStatus',
    'TimeStampStatusParam',
    'TopicDiagnostic',
    'Updater',
]


def __getattr__(name: str) -> object:
    raise AttributeError(
        f'diagnostic_updater.{name} is not part of the stand-in in compat/; '
        'install the real package'
    )
