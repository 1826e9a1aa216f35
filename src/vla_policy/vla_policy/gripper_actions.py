# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""From a model's gripper output to targets of the grippers' joints."""

import numpy as np

from vla_policy.bundle.gripper_output import GripperOutput
from vla_policy.types import PolicyError, Robot

BEYOND = 0.5
"""By how much an answer may be outside of 0 to 1, and counts as the end that it is beyond; a model
that is further out has another convention than its policy.yaml."""


class GripperActions:
    """The gripper columns of a policy's chunks.

    joints: the names of the joints, of all grippers.
    """

    def __init__(self, output: GripperOutput, robot: Robot, horizon: int) -> None:
        self._output = output
        self._grippers = [robot.grippers[name] for name in output.grippers]
        self._shape = (1, horizon, len(output.grippers))
        self._open: list[bool | None] = [None] * len(output.grippers)
        self.joints = tuple(name for gripper in self._grippers for name in gripper.joint_names)

    def reset(self) -> None:
        """A new instruction: what was open or closed is forgotten."""
        self._open = [None] * len(self._grippers)

    def targets(self, raw: np.ndarray) -> np.ndarray:
        """(h, j) rad or m of `joints` from the model's (1, h, k). Raises PolicyError."""
        output, values = self._output, np.asarray(raw, dtype=float)
        if values.shape != self._shape:
            raise PolicyError(f'{output.tensor} has shape {values.shape}, wanted {self._shape}')
        if not ((values >= -BEYOND) & (values <= 1.0 + BEYOND)).all():
            bad = float(values.ravel()[int(np.argmax(~(np.abs(values - 0.5) <= 0.5 + BEYOND)))])
            raise PolicyError(f'{output.tensor} has the value {bad:.3g}, wanted 0 to 1')
        share = np.clip(values[0], 0.0, 1.0)
        if output.open == 0:
            share = 1.0 - share
        columns = []
        for k, gripper in enumerate(self._grippers):
            opened = self._binary(k, share[:, k]) if output.kind == 'binary' else share[:, k]
            opening = gripper.closed + opened * (gripper.open - gripper.closed)
            columns.append(gripper.joint_positions(opening))
        return np.concatenate(columns, axis=1)

    def _binary(self, k: int, share: np.ndarray) -> np.ndarray:
        """1 or 0 for each point. The next chunk goes on from this one's first point: of the rest
        it may say otherwise."""
        output = self._output
        threshold = output.threshold if output.open == 1 else 1.0 - output.threshold
        state, out = self._open[k], np.empty(len(share))
        for i, value in enumerate(share.tolist()):
            if state is None:
                state = value > threshold
            elif state:
                state = value >= threshold - output.hysteresis
            else:
                state = value > threshold + output.hysteresis
            out[i] = state
            if i == 0:
                self._open[k] = state
        return out
