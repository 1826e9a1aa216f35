# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Subject `bundle`: broken policy.yaml, models and tokenizers, as the inference node loads them."""

import hashlib
import random
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import yaml

from vla_policy.bundle.bundle import load_bundle
from vla_policy.bundle.resolve_bundle import installed_models
from vla_policy.load import load_policy
from vla_policy.testing.bundles import JOINTS, REMOTE, write_bundle, write_policy
from vla_policy.testing.judged_bundle import write_judged_bundle
from vla_policy.types import ChunkCheck, InstructionRefused, Observation, PolicyError
from vla_robot import load_robot
from vla_validation.fuzz.outcome import CaseResult, SilentlyAccepted, assess
from vla_validation.fuzz.yaml_mistakes import break_bytes, make_mistake

SOURCES = ('tiny', 'tiny', 'judged', 'judged', 'scripted', 'remote', 'humanoid_vla')
UNCHECKED = ('verification.details', 'source.config')
"""Paths of policy.yaml whose content belongs to others."""
UNIONS = ('version', 'device_map')
LINKED = 1_000_000  # bytes; larger files are linked, not copied

Change = tuple[str, bool]
"""What was changed, and whether it must be refused."""


class BundleSubject:
    """See the module."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix='vla_fuzz_')
        base = Path(self._folder.name)
        write_bundle(base / 'tiny', _everything)
        write_judged_bundle(base / 'judged', _everything)
        write_policy(base / 'remote', REMOTE | {'url': 'ws://127.0.0.1:9'})
        shipped = installed_models()
        self._sources = {name: base / name for name in ('tiny', 'judged', 'remote')} | {
            name: shipped / name for name in ('scripted', 'humanoid_vla')
        }
        self._robot = robot = load_robot('humanoid32')
        self._check = ChunkCheck(robot.joint_names)
        self._observation = Observation(
            images={'head': np.full((48, 64, 3), 128, np.uint8)},
            position=robot.poses['standing'].copy(),
            velocity=np.zeros(robot.n),
            orientation=np.array([1.0, 0.0, 0.0, 0.0]),
            instruction='wave with the left hand',
            stamp_ns=10**9,
            elapsed=0.0,
        )

    def run(self, seed: int) -> CaseResult:
        chance = random.Random(seed)
        name = chance.choice(SOURCES)
        with tempfile.TemporaryDirectory(prefix='vla_fuzz_') as folder:
            directory = Path(folder) / name
            _copy(self._sources[name], directory)
            ways = [_break_keys, _break_keys, _break_keys, _break_text]
            if name in ('tiny', 'judged'):
                ways += [_break_listed, _break_model, _break_model, _remove_listed]
            breaks: Callable[[Path, random.Random], Change] = chance.choice(ways)
            changed, must_refuse = breaks(directory, chance)
            runs = name in ('tiny', 'judged', 'scripted')
            return assess(
                lambda: self._use(directory, runs), f'{name}/{changed}', must_refuse, Path(folder)
            )

    def _use(self, directory: Path, runs: bool) -> None:
        """Load as the node; `runs`: with the model, and predict once."""
        if not runs:
            load_bundle(directory, self._robot)
            return
        policy = load_policy(directory, self._robot)
        try:
            policy.check(self._observation.instruction)
            chunk = policy.predict(self._observation)
        except (PolicyError, InstructionRefused):
            return  # counted by the node, which holds
        finally:
            policy.close()
        self._check(chunk)
        if not np.isfinite(chunk.positions).all():
            raise SilentlyAccepted('a chunk that is not finite')


def _everything(content: dict) -> None:
    """Optional keys of policy.yaml, so that they are broken too."""
    content |= {'goal_like': False, 'blending': 'replace'}
    model = content['model']
    content['verification'] = {
        'passed': True,
        'reason': '',
        'reference': 'by hand',
        'model_sha256': content['files'][model],
        'observations': 8,
        'max_error_rad': 0.0,
        'mean_error_rad': 0.0,
        'cosine': 1.0,
        'details': {'date': 'today'},
    }
    assert content['outputs']['action']['joints'] == JOINTS


def _copy(source: Path, target: Path) -> None:
    target.mkdir()
    for path in source.iterdir():
        if path.stat().st_size > LINKED:
            (target / path.name).symlink_to(path.resolve())
        elif path.is_file():
            shutil.copyfile(path, target / path.name)


def _break_keys(directory: Path, chance: random.Random) -> Change:
    file = directory / 'policy.yaml'
    text, mistake = make_mistake(file.read_text(), chance, UNCHECKED, UNIONS)
    file.write_text(text)
    return f'policy.yaml: {mistake.text}', mistake.must_refuse


def _break_text(directory: Path, chance: random.Random) -> Change:
    file = directory / 'policy.yaml'
    content, changed = break_bytes(file.read_bytes(), chance)
    file.write_bytes(content)
    return f'policy.yaml: {changed}', False


def _listed(directory: Path, chance: random.Random) -> Path:
    files = yaml.safe_load((directory / 'policy.yaml').read_text())['files']
    return directory / chance.choice(sorted(files))


def _break_listed(directory: Path, chance: random.Random) -> Change:
    """A file that is not the one whose hash is in policy.yaml."""
    path = _listed(directory, chance)
    content, changed = break_bytes(path.read_bytes(), chance)
    path.write_bytes(content)
    return f'{path.name}: {changed}', True


def _remove_listed(directory: Path, chance: random.Random) -> Change:
    path = _listed(directory, chance)
    path.unlink()
    if chance.random() < 0.5:
        return f'{path.name}: removed', True
    path.mkdir()
    return f'{path.name}: a directory', True


def _break_model(directory: Path, chance: random.Random) -> Change:
    """A broken file with the hash of its broken content: an export that went wrong."""
    path = _listed(directory, chance)
    content, changed = break_bytes(path.read_bytes(), chance)
    path.write_bytes(content)
    file = directory / 'policy.yaml'
    policy = yaml.safe_load(file.read_text())
    before, policy['files'][path.name] = (
        policy['files'][path.name],
        hashlib.sha256(content).hexdigest(),
    )
    if policy['verification']['model_sha256'] == before:
        policy['verification']['model_sha256'] = policy['files'][path.name]
    file.write_text(yaml.safe_dump(policy, sort_keys=False))
    return f'{path.name}: {changed}, and its hash', False
