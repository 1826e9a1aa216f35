# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Packages and their files."""

import os
import shutil

from ament_index_python.packages import get_package_prefix, get_package_share_directory
from launch._subset import refusing_getattr
from launch.utilities import (
    SomeSubstitutionsType,
    Substitution,
    SubstitutionFailure,
    describe_substitutions,
    normalize_to_list_of_substitutions,
    perform_substitutions,
)


class FindPackagePrefix(Substitution):
    """The prefix of a package; raises ament_index_python.packages.PackageNotFoundError."""

    _find = staticmethod(get_package_prefix)

    def __init__(self, package: SomeSubstitutionsType) -> None:
        self.package = normalize_to_list_of_substitutions(package)

    def describe(self) -> str:
        return f'{type(self).__name__}(pkg={describe_substitutions(self.package)})'

    def perform(self, context) -> str:
        return self._find(perform_substitutions(context, self.package))


class FindPackageShare(FindPackagePrefix):
    """The share directory of a package."""

    _find = staticmethod(get_package_share_directory)


class ExecutableInPackage(FindPackagePrefix):
    """An executable in <prefix>/lib/<package>."""

    def __init__(self, executable: SomeSubstitutionsType, package: SomeSubstitutionsType) -> None:
        super().__init__(package)
        self.executable = normalize_to_list_of_substitutions(executable)

    def describe(self) -> str:
        package, executable = map(describe_substitutions, (self.package, self.executable))
        return f'ExecInPkg(pkg={package}, exec={executable})'

    def perform(self, context) -> str:
        executable = perform_substitutions(context, self.executable)
        package = perform_substitutions(context, self.package)
        libexec = os.path.join(super().perform(context), 'lib', package)
        if not os.path.exists(libexec):
            raise SubstitutionFailure(
                f"package '{package}' has no executables: '{libexec}' does not exist"
            )
        found = shutil.which(executable, path=libexec)
        if found is None:
            raise SubstitutionFailure(f"executable '{executable}' not found in '{libexec}'")
        return found


__getattr__ = refusing_getattr(__name__)
