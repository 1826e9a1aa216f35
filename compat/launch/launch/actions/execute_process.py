# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""A process, described with substitutions."""

import itertools
import os
import re
import shlex
from collections.abc import Iterable

from ..some_substitutions_type import SomeSubstitutionsType
from ..substitution import Substitution
from ..substitutions import LaunchConfiguration
from ..utilities import (
    describe_substitutions,
    normalize_to_list_of_substitutions,
    perform_substitutions,
)
from .execute_local import ExecuteLocal

_numbers = itertools.count(1)  # of processes, over all launches of this Python process


def _normalize_environment(env: 'dict | None') -> 'list[tuple] | None':
    if env is None:
        return None
    return [
        (normalize_to_list_of_substitutions(name), normalize_to_list_of_substitutions(value))
        for name, value in env.items()
    ]


class ExecuteProcess(ExecuteLocal):
    """Runs `cmd`, an iterable whose items are one argument each.

    `env` replaces the environment, `additional_env` adds to it. `name` (default: the program's)
    gets a number to be unique. `prefix` (default: the launch configuration launch-prefix, for
    programs that launch-prefix-filter matches) is put before the command. The other arguments
    are ExecuteLocal's.
    """

    def __init__(
        self,
        *,
        cmd: Iterable[SomeSubstitutionsType],
        prefix: 'SomeSubstitutionsType | None' = None,
        name: 'SomeSubstitutionsType | None' = None,
        cwd: 'SomeSubstitutionsType | None' = None,
        env: 'dict | None' = None,
        additional_env: 'dict | None' = None,
        **kwargs,
    ) -> None:
        super().__init__(**kwargs)
        self._cmd = [normalize_to_list_of_substitutions(item) for item in cmd]
        self._prefix = normalize_to_list_of_substitutions(
            LaunchConfiguration('launch-prefix', default='') if prefix is None else prefix
        )
        self._prefix_filter = (
            LaunchConfiguration('launch-prefix-filter', default='') if prefix is None else None
        )
        self._name = None if name is None else normalize_to_list_of_substitutions(name)
        self._cwd = None if cwd is None else normalize_to_list_of_substitutions(cwd)
        self._env = _normalize_environment(env)
        self._additional_env = _normalize_environment(additional_env)

    @property
    def name(self) -> 'str | None':
        """The unique name; None before execution."""
        return None if self.process_details is None else self.process_details['name']

    @property
    def cmd(self) -> list[list[Substitution]]:
        return self._cmd

    @property
    def cwd(self) -> 'list[Substitution] | None':
        return self._cwd

    @property
    def env(self) -> 'list[tuple] | None':
        return self._env

    @property
    def additional_env(self) -> 'list[tuple] | None':
        return self._additional_env

    def describe(self) -> str:
        words = ', '.join(describe_substitutions(word) for word in self._cmd)
        return f'{type(self).__name__}(cmd=[{words}])'

    def prepare(self, context) -> None:
        """Perform all substitutions."""
        cmd = [perform_substitutions(context, item) for item in self._cmd]
        prefix = shlex.split(perform_substitutions(context, self._prefix))
        if self._prefix_filter is not None:
            pattern = self._prefix_filter.perform(context)
            if re.match(pattern, os.path.basename(cmd[0])) is None:
                prefix = []
        cmd = prefix + cmd
        if self._name is None:
            name = os.path.basename(cmd[0])
        else:
            name = perform_substitutions(context, self._name)
        env = dict(context.environment) if self._env is None else {}
        for variable, value in (self._env or []) + (self._additional_env or []):
            env[perform_substitutions(context, variable)] = perform_substitutions(context, value)
        self._set_details(
            name=f'{name}-{next(_numbers)}',
            cmd=cmd,
            cwd=None if self._cwd is None else perform_substitutions(context, self._cwd),
            env=env,
        )
        super().prepare(context)
