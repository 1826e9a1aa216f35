# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""An executable of a package."""

import os
import shutil

from launch.substitutions import SubstitutionFailure
from launch.utilities import (
    describe_substitutions,
    normalize_to_list_of_substitutions,
    perform_substitutions,
)

from launch import SomeSubstitutionsType, Substitution

from .find_package import FindPackagePrefix


class ExecutableInPackage(FindPackagePrefix):
    """Looks in <prefix>/lib/<package>."""

    def __init__(self, executable: SomeSubstitutionsType, package: SomeSubstitutionsType) -> None:
        super().__init__(package)
        self._executable = normalize_to_list_of_substitutions(executable)

    @property
    def executable(self) -> list[Substitution]:
        return self._executable

    def describe(self) -> str:
        package, executable = (
            describe_substitutions(subs) for subs in (self._package, self._executable)
        )
        return f'ExecInPkg(pkg={package}, exec={executable})'

    def perform(self, context) -> str:
        executable = perform_substitutions(context, self._executable)
        package = perform_substitutions(context, self._package)
        prefix = super().perform(context)
        libexec = os.path.join(prefix, 'lib', package)
        if not os.path.exists(libexec):
            raise SubstitutionFailure(
                f"package '{package}' found at '{prefix}', but libexec directory '{libexec}' "
                'does not exist'
            )
        found = shutil.which(executable, path=libexec)
        if found is None:
            raise SubstitutionFailure(
                f"executable '{executable}' not found on the libexec directory '{libexec}' "
            )
        return found
