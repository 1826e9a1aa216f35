# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Episodes of a bundle in physics, for each blending mode and delay of its chunks."""

from __future__ import annotations

import numpy as np

from vla_inference.blender import Blending
from vla_models.evaluation import Episodes
from vla_models.robot_stack import Timing
from vla_models.rollout import Run
from vla_models.scenarios import make_scenario
from vla_models.statistics import EpisodeOutcome

MODES = tuple(mode.value for mode in Blending)


class DelayedEpisodes(Episodes):
    """Runs one (mode, delay in s, number) at a time; see Episodes."""

    def __call__(self, item: tuple[str, float, int]) -> tuple[EpisodeOutcome, Run]:
        mode, delay, number = item
        scenario = make_scenario(self.robot, self.expert.goals, self.seed, number)
        return self.run(scenario, timing=Timing.of(delay), blending=mode)


def row(episodes: list[tuple[EpisodeOutcome, Run]]) -> dict[str, float]:
    """The figures of one mode and delay."""
    borders = np.concatenate([run.borders for _, run in episodes])
    p95 = np.percentile(borders, 95, axis=0) if len(borders) else np.zeros(3)
    done = [outcome for outcome, _ in episodes if outcome.success]
    return {
        'success': round(len(done) / len(episodes), 4),
        'n': len(episodes),
        'seconds': round(float(np.median([o.seconds for o in done])), 2) if done else None,
        'position_p95': round(float(p95[0]), 4),
        'velocity_p95': round(float(p95[1]), 3),
        'acceleration_p95': round(float(p95[2]), 2),
        'jerk_rms': round(float(np.mean([run.jerk for _, run in episodes])), 1),
        'violations': sum(outcome.violations for outcome, _ in episodes),
    }
