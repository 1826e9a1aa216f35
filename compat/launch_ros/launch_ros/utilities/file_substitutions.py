# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""`$(name argument …)` in parameter files."""

import re

from launch._subset import outside
from launch.substitutions import (
    EnvironmentVariable,
    LaunchConfiguration,
    SubstitutionFailure,
    ThisLaunchFileDir,
)

_INNERMOST = re.compile(r'\$\(([^()$]*)\)')


def perform_in_text(context, text: str) -> str:
    """Perform what is innermost until nothing is left."""
    while True:
        text, count = _INNERMOST.subn(lambda match: _perform(context, match.group(1)), text)
        if not count:
            break
    if '$(' in text:
        raise SubstitutionFailure(f'unfinished substitution: {text[text.index("$(") :][:60]!r}')
    return text


def _perform(context, content: str) -> str:
    from ..substitutions import FindPackagePrefix, FindPackageShare

    name, *arguments = content.split(maxsplit=2)
    arguments = [argument.strip('\'"') for argument in arguments]
    known = {
        'var': (LaunchConfiguration, 'default'),
        'env': (EnvironmentVariable, 'default_value'),
        'find-pkg-share': (FindPackageShare, None),
        'find-pkg-prefix': (FindPackagePrefix, None),
        'dirname': (ThisLaunchFileDir, None),
    }
    if name not in known:
        raise SubstitutionFailure(outside(f'the substitution $({content})'))
    substitution, default = known[name]
    takes = 0 if name == 'dirname' else 2 if default else 1
    if not min(takes, 1) <= len(arguments) <= takes:
        raise SubstitutionFailure(f'$({content}): wrong number of arguments')
    if len(arguments) == 2:
        return substitution(arguments[0], **{default: arguments[1]}).perform(context)
    return substitution(*arguments).perform(context)
