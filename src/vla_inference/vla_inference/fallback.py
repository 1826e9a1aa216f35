# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The fallback chain: the policy, a second bundle if there is one, the scripted hold, the end.

It only ever goes down within an instruction. The next instruction begins at the top again, and no
instruction begins by itself: what returns is READY, never motion.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from vla_inference.blending.blender import Blender, BlendingParameters
from vla_inference.confidence import ConfidenceLimits, ConfidenceMonitor
from vla_inference.policy_worker import InlineWorker, PolicyWorker
from vla_policy.types import InstructionRefused, Policy


class PolicySlot:
    """One policy of the chain, with what is remembered of its chunks."""

    def __init__(
        self,
        policy: Policy,
        caller: PolicyWorker,
        blending: BlendingParameters = BlendingParameters(),  # noqa: B008
        confidence: ConfidenceLimits = ConfidenceLimits(),  # noqa: B008
    ) -> None:
        self.policy = policy
        self.caller = caller
        self.blender = Blender(blending)
        self.judge = ConfidenceMonitor(confidence)
        self.errors = 0
        self.begins = True

    @property
    def title(self) -> str:
        return self.policy.bundle.title

    @property
    def leads(self) -> bool:
        """Whether the policy can be led by a prefix."""
        return self.policy.takes_prefix

    def begin(self) -> None:
        """A new instruction."""
        self.caller.abandon()
        self.blender.reset()
        self.judge.reset()
        self.errors = 0
        self.begins = True

    @classmethod
    def inline(cls, policy: Policy, now: Callable[[], float], **settings) -> PolicySlot:
        return cls(policy, InlineWorker(policy, now), **settings)


class FallbackChain:
    """Which link is to answer. `at` is its place; len(links) means the hold."""

    def __init__(self, links: Sequence[PolicySlot]) -> None:
        self.links = tuple(links)
        self.at = 0
        self.reason = ''

    @property
    def link(self) -> PolicySlot | None:
        """None: nothing is left but to hold."""
        return self.links[self.at] if self.at < len(self.links) else None

    def begin(self) -> None:
        self.at = 0
        self.reason = ''
        for link in self.links:
            link.begin()

    def fall(self, why: str, instruction: str) -> None:
        """The next link that can take over. Each step is added to the reason."""
        failed = self.link
        if failed is None:
            return
        failed.caller.abandon()
        who = 'policy' if self.at == 0 else failed.title
        reasons = [self.reason] if self.reason else []
        reasons.append(f'{who} failed: {why}')
        while True:
            self.at += 1
            link = self.link
            if link is None:
                break
            if link.caller.since is not None:
                reasons.append(f'{link.title} has a call out')
                continue
            try:
                link.policy.check(instruction)
            except InstructionRefused as refusal:
                reasons.append(f'{link.title}: {refusal}')
                continue
            reasons.append(f'{link.title} took over')
            break
        self.reason = '; '.join(reasons)
