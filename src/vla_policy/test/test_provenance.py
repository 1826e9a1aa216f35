# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""A bundle carries its verification, and one that failed is not loaded by accident."""

import hashlib
import math
import re

import pytest

from vla_common.errors import ConfigError
from vla_common.testing_refusals import documented
from vla_policy.bundle.bundle import load_bundle
from vla_policy.testing.bundles import write_bundle

PASSED = {
    'passed': True,
    'reference': 'eager fp32',
    'observations': 32,
    'max_error_rad': 1e-5,
    'mean_error_rad': 1e-6,
    'cosine': 1.0,
}


def verified(**changes):
    """A change that adds a verification of the model that is there."""

    def change(content):
        digest = content['files'][content['model']]
        content['verification'] = {'model_sha256': digest, **PASSED, **changes}

    return change


def test_a_verified_bundle_reports_the_result(tmp_path, robot):
    write_bundle(tmp_path, verified(success=[0.9, 0.85]))
    verification = load_bundle(tmp_path, robot).verification
    assert verification.passed and verification.observations == 32
    assert verification.success == (0.9, 0.85)


def test_a_bundle_that_failed_is_rejected_unless_the_parameter_accepts_it(tmp_path, robot):
    write_bundle(tmp_path, verified(passed=False, reason='0.4 rad off', max_error_rad=float('inf')))
    with pytest.raises(
        ConfigError, match=r'verification.passed: found false \(0.4 rad off\)'
    ) as error:
        load_bundle(tmp_path, robot)
    documented('Verification', 'a bundle that failed', error.value, tmp_path)
    assert not load_bundle(tmp_path, robot, accept_failed=True).verification.passed


def test_the_verification_of_another_model_file_does_not_count(tmp_path, robot):
    write_bundle(tmp_path, verified(model_sha256='0' * 64))
    with pytest.raises(ConfigError, match='verification.model_sha256') as error:
        load_bundle(tmp_path, robot)
    sha256 = re.compile('[0-9a-f]{64}')
    documented('Verification', 'the record of another model', error.value, tmp_path, sha256)


def test_a_verification_needs_numbers(tmp_path, robot):
    write_bundle(tmp_path, verified(cosine='good'))
    with pytest.raises(
        ConfigError, match='verification.cosine: found good, wanted a number'
    ) as error:
        load_bundle(tmp_path, robot)
    documented('Verification', 'a record without numbers', error.value, tmp_path)


@pytest.mark.parametrize(
    ('case', 'numbers'),
    [
        ('an infinite error that passed', {'max_error_rad': math.inf}),
        ('a negative error that passed', {'mean_error_rad': -1e-3}),
        ('a cosine of two that passed', {'cosine': 2.0}),
    ],
)
def test_a_model_that_passed_has_an_error_and_a_cosine(tmp_path, robot, case, numbers):
    write_bundle(tmp_path, verified(**numbers))
    with pytest.raises(ConfigError, match=f'verification.{next(iter(numbers))}') as error:
        load_bundle(tmp_path, robot)
    documented('Verification', case, error.value, tmp_path)


def test_the_source_is_read_and_its_weights_must_be_listed(tmp_path, robot):
    weights = hashlib.sha256(b'weights').hexdigest()

    def change(content):
        content['source'] = {'factory': 'a.b:make', 'config': {'n': 1}, 'weights': 'w.safetensors'}
        content['files']['w.safetensors'] = weights

    (tmp_path / 'w.safetensors').write_bytes(b'weights')
    write_bundle(tmp_path, change)
    source = load_bundle(tmp_path, robot).source
    assert (source.factory, source.config) == ('a.b:make', {'n': 1})
    for spoil, message in (
        (lambda c: c['source'].update(factory='os.system("x")'), 'source.factory'),
        (lambda c: c['source'].update(weights='w.pt'), 'a .safetensors file'),
        (lambda c: c['files'].pop('w.safetensors'), 'files.w.safetensors: found nothing'),
    ):
        write_bundle(tmp_path, lambda c, spoil=spoil: (change(c), spoil(c)))
        with pytest.raises(ConfigError, match=message):
            load_bundle(tmp_path, robot)
