# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""What a command prints."""

import shlex
import subprocess

from ..logging import get_logger
from ..some_substitutions_type import SomeSubstitutionsType
from ..substitution import Substitution
from ..utilities import (
    describe_substitutions,
    normalize_to_list_of_substitutions,
    perform_substitutions,
)
from .substitution_failure import SubstitutionFailure

_ON_STDERR = ('fail', 'ignore', 'warn', 'capture')


class Command(Substitution):
    """Runs a command (split as a shell would, without one) and gives its stdout.

    `on_stderr` says what output on stderr does: fail, ignore, warn, or capture (part of the
    result). A non-zero exit status is always a SubstitutionFailure.
    """

    def __init__(
        self, command: SomeSubstitutionsType, *, on_stderr: SomeSubstitutionsType = 'fail'
    ) -> None:
        self._command = normalize_to_list_of_substitutions(command)
        self._on_stderr = normalize_to_list_of_substitutions(on_stderr)

    @property
    def command(self) -> list[Substitution]:
        return self._command

    @property
    def on_stderr(self) -> list[Substitution]:
        return self._on_stderr

    def describe(self) -> str:
        return f'Command({describe_substitutions(self._command)})'

    def perform(self, context) -> str:
        text = perform_substitutions(context, self._command)
        on_stderr = perform_substitutions(context, self._on_stderr)
        if on_stderr not in _ON_STDERR:
            raise SubstitutionFailure(
                f"expected 'on_stderr' to be one of: {', '.join(_ON_STDERR)}, got '{on_stderr}'"
            )
        stderr = subprocess.STDOUT if on_stderr == 'capture' else subprocess.PIPE
        try:
            result = subprocess.run(
                shlex.split(text), stdout=subprocess.PIPE, stderr=stderr, text=True, check=False
            )
        except FileNotFoundError as error:
            raise SubstitutionFailure(f'file not found: {error}') from error
        if result.returncode != 0:
            complaint = f' Captured stderr output: {result.stderr}' if result.stderr else ''
            raise SubstitutionFailure(
                f'executed command failed. Command: {text}, '
                f'return code: {result.returncode}.{complaint}'
            )
        if result.stderr and on_stderr == 'fail':
            raise SubstitutionFailure(
                f'executed command showed stderr output. Command: {text}. '
                f'Captured stderr output:\n{result.stderr}'
            )
        if result.stderr and on_stderr == 'warn':
            get_logger('launch').warning(
                f'executed command showed stderr output. Command: {text}:\n{result.stderr}'
            )
        return result.stdout
