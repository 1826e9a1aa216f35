# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Publishing of a bundle: written to a draft, verified, then moved to its place."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import numpy as np

from vla_common.errors import ConfigError
from vla_common.yaml_file import load_yaml
from vla_deploy.atomic_io import staged, write_policy
from vla_deploy.closed_loop import SceneRunner, verify_in_closed_loop
from vla_deploy.observations import Recording, Tensors, observations_for, tensors_of
from vla_deploy.parity import ParityLimits
from vla_deploy.reference_model import (
    WEIGHTS,
    ReferenceModel,
    from_bundle,
    without_gripper,
    without_model,
)
from vla_deploy.runners import EagerRunner, answers, check_units, judged_answers, open_bundle
from vla_deploy.verification import (
    MINIMUM,
    ExpectedAnswers,
    VerificationFailed,
    VerificationResult,
    check_observations,
    record,
    save_worst,
    verify_policy,
)
from vla_policy.bundle.bundle import Bundle, load_bundle
from vla_policy.bundle.provenance import ModelSource
from vla_policy.runtimes import Runtime
from vla_robot import RobotModel

CALIBRATION_SEED = 1_000_003  # added to the seed: calibration must not see the verified scenes


@dataclass(frozen=True)
class Parts:
    """A bundle without its model file: policy.yaml without MODEL_KEYS, the section `source`, and
    the content of the other files."""

    policy: Mapping[str, Any]
    source: ModelSource | None
    files: Mapping[str, bytes]

    @classmethod
    def of_reference(cls, reference: ReferenceModel) -> Self:
        source = ModelSource(reference.factory, reference.config, WEIGHTS)
        files = {**reference.attachments, WEIGHTS: reference.weights()}
        return cls(dict(reference.policy), source, files)

    @classmethod
    def of_bundle(cls, directory: Path) -> Self:
        """Raises ConfigError."""
        bundle = load_bundle(directory, accept_failed=True)
        policy = load_yaml(bundle.file)
        files = {name: bundle.read(name) for name in bundle.files if name != bundle.model.file}
        return cls(without_model(policy), bundle.source, files)

    def without_gripper(self) -> Self:
        """The same without the output that is not executed yet."""
        policy = {**self.policy, 'outputs': without_gripper(self.policy['outputs'])}
        return replace(self, policy=policy)


@dataclass(frozen=True)
class VerificationOptions:
    """How a conversion is verified.

    recording: None for simulated observations. skip: write the bundle without a verification.
    device: where the new bundle runs while it is verified. scenes: number of closed-loop scenes
    that decide where the answers differ by more than the limits, against the bundle `before`.
    run_scenes: None for `closed_loop.successes`. log: receives the current step. limits: None for
    those of the conversion. expected: None to compute them from the bundle that is converted.
    """

    robot: RobotModel
    recording: Path | Recording | None = None
    observations: int = MINIMUM
    seed: int = 0
    keep_failed: bool = False
    skip: bool = False
    device: str = 'cpu'
    scenes: int = 0
    before: Path | None = None
    jobs: int = 1
    run_scenes: SceneRunner | None = None
    log: Callable[[str], None] = lambda text: None
    limits: ParityLimits | None = None
    expected: ExpectedAnswers | None = None

    def load_observations(self, tasks: list[str]) -> Recording:
        """The observations to compare on. Raises ConfigError."""
        if isinstance(self.recording, Recording):
            return self.recording
        self.log('rendering scenes' if self.recording is None else 'reading the recording')
        return observations_for(self.recording, self.robot, tasks, self.observations, self.seed)

    def calibration(self, directory: Path, recording: Recording | None = None) -> list[Tensors]:
        """Inputs of the bundle to calibrate on: `recording`, else other simulated scenes than
        those of the verification, else the recording that was given for it. Raises ConfigError."""
        bundle = load_bundle(directory, accept_failed=True)
        if recording is None:
            shifted = self.seed + (CALIBRATION_SEED if self.recording is None else 0)
            recording = replace(self, seed=shifted).load_observations(list(bundle.tasks))
        return tensors_of(recording, bundle, self.robot)

    def with_expected(self, directory: Path, reference: ReferenceModel | None = None) -> Self:
        """These options with `expected` of the bundle in `directory`, unless they are there.
        Raises ConfigError, also for fewer observations than a verdict needs."""
        if self.expected is not None:
            return self
        expected = expected_answers(directory, self, reference)
        if not self.skip:
            check_observations(expected.recording)
        return replace(self, expected=expected)


def expected_answers(
    directory: Path, options: VerificationOptions, reference: ReferenceModel | None = None
) -> ExpectedAnswers:
    """Expected answers for the bundle in `directory`: those of `reference`, else of its source,
    else its own. Raises ConfigError, also for a bundle of another robot."""
    bundle = load_bundle(directory, options.robot, accept_failed=True)
    check_units(bundle)
    recording = options.load_observations(list(bundle.tasks))
    inputs = tensors_of(recording, bundle, options.robot)
    runner: Runtime
    if reference is None and bundle.source is not None:
        reference = from_bundle(directory)
    if reference is not None:
        runner, title = EagerRunner(reference), f'eager float32, {reference.factory}'
        digest = hashlib.sha256(reference.weights()).hexdigest()
    else:
        bundle, runner = open_bundle(directory)
        title, digest = f'{bundle.title}, {bundle.runtime}', bundle.model_sha256
    options.log('running the reference model')
    try:
        outputs = answers(runner, inputs)
        judged = judged_answers(runner, inputs, bundle.model)
    except ValueError as error:
        raise ConfigError(title, 'outputs', str(error), 'probabilities') from error
    finally:
        runner.close()
    bad = np.argwhere(~np.isfinite(outputs))
    if len(bad):
        found = f'{outputs[tuple(bad[0])]} for observation {bad[0][0]}'
        raise ConfigError(title, 'answers of the reference model', found, 'finite numbers')
    return ExpectedAnswers(title, recording, inputs, outputs, digest, judged)


def nothing_to_compare_with(bundle: Bundle) -> ConfigError:
    """A bundle without a reference: compared with itself, any model would pass."""
    found = 'nothing, so there is nothing to compare the model with'
    wanted = 'the module it was made from (export writes it), or --against BUNDLE'
    return ConfigError(str(bundle.file), 'source', found, wanted)


def publish(
    out: Path,
    parts: Parts,
    runtime: str,
    model: str,
    write_model: Callable[[Path], None],
    options: VerificationOptions,
    limits: ParityLimits,
    reference: ReferenceModel | None = None,
) -> VerificationResult | None:
    """Write the bundle `out`: `write_model(path)` writes its model file for `runtime`.

    limits: where `options` has none. reference: gives the expected answers where `options` has
    none. Returns None if the verification was skipped. Raises ConfigError and VerificationFailed:
    nothing is at `out` then unless `options.keep_failed`, the worst input is `<out>.worst.npz`.
    """
    out = Path(out)
    result = None
    size = sum(len(content) for content in parts.files.values())
    with staged(out, 3 * size) as draft:
        options.log('writing the model')
        write_model(draft / model)
        for name, content in parts.files.items():
            (draft / name).parent.mkdir(parents=True, exist_ok=True)
            (draft / name).write_bytes(content)
        policy = {**parts.policy, 'runtime': runtime, 'model': model}
        if parts.source is not None:
            policy['source'] = parts.source.section()
        write_policy(draft, policy, [model, *parts.files])
        bundle = load_bundle(draft, options.robot)
        if not options.skip:
            if options.expected is None and reference is None and bundle.source is None:
                raise nothing_to_compare_with(bundle)
            expected = options.with_expected(draft, reference).expected
            assert expected is not None
            options.log('comparing with the reference model')
            result = verify_policy(draft, expected, options.limits or limits, options.device)
            if not result.passed and options.scenes and options.before is not None:
                how = (options.robot.name, options.scenes, options.seed, options.jobs)
                result = verify_in_closed_loop(
                    result, options.before, draft, *how, options.run_scenes
                )
            record(draft, bundle, expected, result)
            if not result.passed:
                failure = VerificationFailed(out.name, result, save_worst(expected, result, out))
                if not options.keep_failed:
                    raise failure
    if result is not None and not result.passed:
        raise failure
    return result
