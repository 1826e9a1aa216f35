# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The overview names every verb."""

from __future__ import annotations

from importlib.metadata import entry_points

from vla_deploy.commands import overview


def test_help_names_every_verb_and_none_that_is_not(capsys):
    assert overview.main() == 0
    output = capsys.readouterr().out
    named = {verb for verbs in overview.VERBS.values() for verb in verbs}
    scripts = entry_points(group='console_scripts')
    there = {one.name for one in scripts if one.value.startswith('vla_deploy.commands.')}
    assert named == there - {'help'}
    assert all(f'  {verb} ' in output for verb in named)
