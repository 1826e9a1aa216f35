# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The fallback chain: the policy, an optional second bundle, the hold, the end.

It only advances within an instruction. The next instruction begins with the first policy, and none
begins without a request: the robot returns to READY, never to motion.
"""

from collections.abc import Callable, Sequence
from typing import Self

from vla_inference.blender import Blender, BlendingParameters
from vla_inference.confidence import ConfidenceLimits, ConfidenceMonitor
from vla_inference.policy_worker import InlineWorker, PolicyWorker
from vla_policy.types import InstructionRefused, Policy


class PolicySlot:
    """One policy of the chain, with the state of its chunks within one instruction."""

    def __init__(
        self,
        policy: Policy,
        worker: PolicyWorker,
        blending: BlendingParameters = BlendingParameters(),  # noqa: B008
        confidence: ConfidenceLimits = ConfidenceLimits(),  # noqa: B008
    ) -> None:
        self.policy = policy
        self.worker = worker
        self.blender = Blender(blending)
        self.monitor = ConfidenceMonitor(confidence)
        self.errors = 0
        self.begins = True

    @property
    def title(self) -> str:
        return self.policy.bundle.title

    def begin(self) -> None:
        """A new instruction."""
        self.worker.abandon()
        self.blender.reset()
        self.monitor.reset()
        self.errors = 0
        self.begins = True

    @classmethod
    def inline(cls, policy: Policy, now: Callable[[], float], **settings) -> Self:
        """With a worker that calls the policy in the caller's thread."""
        return cls(policy, InlineWorker(policy, now), **settings)


class FallbackChain:
    """`at` is the index of the slot in use; len(slots) is the hold."""

    def __init__(self, slots: Sequence[PolicySlot]) -> None:
        self.slots = tuple(slots)
        self.at = 0
        self.reason = ''

    @property
    def slot(self) -> PolicySlot | None:
        """None: only the hold is left."""
        return self.slots[self.at] if self.at < len(self.slots) else None

    def begin(self) -> None:
        self.at = 0
        self.reason = ''
        for slot in self.slots:
            slot.begin()

    def advance(self, why: str, instruction: str) -> None:
        """To the next slot that can take over. Each step is added to the reason."""
        failed = self.slot
        if failed is None:
            return
        failed.worker.abandon()
        who = 'policy' if self.at == 0 else failed.title
        reasons = [self.reason] if self.reason else []
        reasons.append(f'{who} failed: {why}')
        while True:
            self.at += 1
            slot = self.slot
            if slot is None:
                break
            if slot.worker.since is not None:
                reasons.append(f'{slot.title} has a call pending')
                continue
            try:
                slot.policy.check(instruction)
            except InstructionRefused as refusal:
                reasons.append(f'{slot.title}: {refusal}')
                continue
            reasons.append(f'{slot.title} took over')
            break
        self.reason = '; '.join(reasons)
