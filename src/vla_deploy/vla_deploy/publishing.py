# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The one way in which a bundle comes to be: written aside, verified, then moved to its place."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from vla_common.errors import ConfigError
from vla_common.yaml_file import load_yaml
from vla_deploy.closed_loop import Act, run_episodes
from vla_deploy.observations import Recording, observations_for, tensors_of
from vla_deploy.parity import ParityLimits
from vla_deploy.reference_model import WEIGHTS, ReferenceModel, from_bundle
from vla_deploy.runners import EagerRunner, answers, open_bundle
from vla_deploy.staging import staged, write_policy
from vla_deploy.verification import (
    VerificationFailed,
    VerificationReference,
    VerificationResult,
    record,
    save_worst,
    verify_policy,
)
from vla_policy.bundle.bundle import MODEL_KEYS, load_bundle
from vla_policy.runtimes import Runtime
from vla_robot import RobotModel


@dataclass(frozen=True)
class Parts:
    """A bundle but for its model file: policy.yaml without what the model decides, the section
    `source`, and the content of every other file."""

    policy: Mapping[str, Any]
    source: Mapping[str, Any] | None
    files: Mapping[str, bytes]

    @classmethod
    def of_original(cls, original: ReferenceModel) -> Parts:
        source = {
            'factory': original.factory,
            'config': dict(original.config),
            'weights': WEIGHTS,
        }
        files = {**original.attachments, WEIGHTS: original.weights()}
        return cls(dict(original.policy), source, files)

    @classmethod
    def of_bundle(cls, directory: Path) -> Parts:
        """Raises ConfigError."""
        bundle = load_bundle(directory, accept_failed=True)
        policy = load_yaml(bundle.file)
        source = policy.get('source')
        kept = {key: value for key, value in policy.items() if key not in MODEL_KEYS}
        files = {name: bundle.read(name) for name in bundle.files if name != bundle.model.file}
        return cls(kept, source, files)


@dataclass(frozen=True)
class VerificationOptions:
    """What a conversion is verified with. recording None: simulated observations. skip: write the
    bundle without a verification (it then says that it has none). device: what the bundle that was
    made runs on while it is verified. scenes: where the answers differ by more than the limits,
    that many in closed loop decide, against the bundle `before`. act: what lets a bundle act (None:
    `closed_loop.successes`). say: is told what is being done."""

    robot: RobotModel
    recording: Path | Recording | None = None
    observations: int = 24
    seed: int = 0
    keep_failed: bool = False
    skip: bool = False
    device: str = 'cpu'
    scenes: int = 0
    before: Path | None = None
    jobs: int = 1
    act: Act | None = None
    say: Callable[[str], None] = lambda text: None

    def see(self, tasks: list[str]) -> Recording:
        """The observations. Raises ConfigError."""
        if isinstance(self.recording, Recording):
            return self.recording
        self.say('looking at scenes' if self.recording is None else 'reading the recording')
        return observations_for(self.recording, self.robot, tasks, self.observations, self.seed)


def reference_of(
    directory: Path, proof: VerificationOptions, original: ReferenceModel | None = None
) -> VerificationReference:
    """The right answers for the bundle in `directory`: of `original`, or of the module that it
    names as its source, or, where it has none, its own."""
    bundle = load_bundle(directory, accept_failed=True)
    recording = proof.see(list(bundle.tasks))
    inputs = tensors_of(recording, bundle, proof.robot)
    runner: Runtime
    if original is None and bundle.source is not None:
        original = from_bundle(directory)
    if original is not None:
        runner, title = EagerRunner(original), f'eager float32, {original.factory}'
    else:
        bundle, runner = open_bundle(directory)
        title = f'{bundle.title}, {bundle.runtime}'
    proof.say('asking the original')
    try:
        right = answers(runner, inputs)
    finally:
        runner.close()
    bad = np.argwhere(~np.isfinite(right))
    if len(bad):
        found = f'{right[tuple(bad[0])]} for observation {bad[0][0]}'
        raise ConfigError(title, 'answers of the original', found, 'finite numbers')
    return VerificationReference(title, recording, inputs, right)


def _act_out(
    finding: VerificationResult, draft: Path, proof: VerificationOptions
) -> VerificationResult:
    assert proof.before is not None
    name, scenes = proof.robot.name, proof.scenes
    return run_episodes(
        finding, proof.before, draft, name, scenes, proof.seed, proof.jobs, proof.act
    )


def publish(
    out: Path,
    parts: Parts,
    runtime: str,
    model: str,
    write_model: Callable[[Path], None],
    limits: ParityLimits,
    proof: VerificationOptions,
    reference: VerificationReference | None,
    original: ReferenceModel | None = None,
) -> VerificationResult | None:
    """Make the bundle `out`: `write_model(path)` writes its model file, `runtime` runs it.

    `reference` None: made from `original` once policy.yaml is there. Returns what the verification
    found, None if it was skipped. Raises VerificationFailed (nothing is left at `out` then, unless
    `proof.keep_failed`; the worst input is in `<out>.worst.npz`), ConfigError.
    """
    out = Path(out)
    finding = None
    size = sum(len(content) for content in parts.files.values())
    with staged(out, 3 * size) as draft:
        proof.say('writing the model')
        write_model(draft / model)
        for name, content in parts.files.items():
            (draft / name).parent.mkdir(parents=True, exist_ok=True)
            (draft / name).write_bytes(content)
        policy = {**parts.policy, 'runtime': runtime, 'model': model}
        if parts.source is not None:
            policy['source'] = dict(parts.source)
        write_policy(draft, policy, [model, *parts.files])
        bundle = load_bundle(draft, proof.robot)
        if not proof.skip:
            if reference is None:
                reference = reference_of(draft, proof, original)
            proof.say('comparing with the original')
            finding = verify_policy(draft, reference, limits, device=proof.device)
            if not finding.passed and proof.scenes and proof.before is not None:
                finding = _act_out(finding, draft, proof)
            record(draft, bundle, reference, finding)
            if not finding.passed:
                worst = save_worst(reference, finding, out.with_name(f'{out.name}.worst.npz'))
                failure = VerificationFailed(out.name, finding, worst)
                if not proof.keep_failed:
                    raise failure
    if finding is not None and not finding.passed:
        raise failure
    return finding
