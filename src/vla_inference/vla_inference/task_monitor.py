# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""What is known of the current instruction: before motion, whether it is carried out; in motion,
how it ends."""

from collections.abc import Mapping

from vla_inference.admission import Admission, AdmissionLimits, Ruling
from vla_inference.completion import Arrival, Completion, CompletionLimits, End
from vla_inference.filter_holds import FilterHolds
from vla_inference.session import Running, TaskReport
from vla_policy.bundle.bundle import Bundle
from vla_policy.types import NO_ASSESSMENT, ActionChunk, Observation


class TaskMonitor:
    """holds: updated by its owner with the filter's statuses."""

    def __init__(
        self,
        admission: AdmissionLimits = AdmissionLimits(),  # noqa: B008
        completion: CompletionLimits = CompletionLimits(),  # noqa: B008
        holds: FilterHolds | None = None,
    ) -> None:
        self._admission = Admission(admission)
        self._completion = Completion(completion)
        self._arrival = Arrival(completion.tolerance)
        self._holds = holds or FilterHolds()
        self._assessment = NO_ASSESSMENT

    def begin(self) -> None:
        """A new instruction."""
        self._assessment = NO_ASSESSMENT
        self._admission.begin()
        self._completion.begin()
        self._arrival.begin()
        self._holds.begin()

    def judge(
        self, chunk: ActionChunk, bundle: Bundle, running: Running, now: float
    ) -> Ruling | None:
        """Before motion: whether to carry it out; None until enough is seen. A policy that cannot
        judge carries out what its own check has accepted."""
        self._assessment = chunk.assessment
        if not bundle.acceptance.judges:
            return Ruling(chunk.assessment)
        ruling = self._admission.judge(
            chunk.assessment, bundle.acceptance, running.text, bundle.tasks, now
        )
        if ruling is not None:
            self._assessment = ruling.assessment
        return ruling

    def update(
        self,
        chunk: ActionChunk,
        observation: Observation,
        bundle: Bundle,
        index: Mapping[str, int],
        running: Running,
        now: float,
    ) -> End | None:
        """In motion: how the instruction ends, if it does. index: of each joint of the robot."""
        self._assessment = chunk.assessment
        joints = [index[name] for name in chunk.joints]
        short = self._arrival.update(chunk, observation, joints, self._holds.holding, now)
        # The joints may be where the chunk wants them, and the hand not where the policy does.
        short = chunk.cannot_follow or short
        return self._completion.update(chunk, bundle.acceptance, running.text, short, now)

    @property
    def report(self) -> TaskReport:
        holds = self._holds
        return TaskReport(
            self._assessment, holds.holding, holds.held_by, holds.held_s, self._completion.at_limit
        )
