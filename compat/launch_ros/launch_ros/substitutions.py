# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Packages and their files."""

import os
import shutil

from ament_index_python.packages import get_package_prefix, get_package_share_directory
from launch.utilities import Substitution, SubstitutionFailure, describe, normalize, perform


class FindPackagePrefix(Substitution):
    """The prefix of a package; raises ament_index_python.packages.PackageNotFoundError."""

    _find = staticmethod(get_package_prefix)

    def __init__(self, package) -> None:
        self.package = normalize(package)

    def describe(self) -> str:
        return f'{type(self).__name__}(pkg={describe(self.package)})'

    def perform(self, context) -> str:
        return self._find(perform(context, self.package))


class FindPackageShare(FindPackagePrefix):
    """The share directory of a package."""

    _find = staticmethod(get_package_share_directory)


class ExecutableInPackage(FindPackagePrefix):
    """An executable in <prefix>/lib/<package>."""

    def __init__(self, executable, package) -> None:
        super().__init__(package)
        self.executable = normalize(executable)

    def perform(self, context) -> str:
        executable = perform(context, self.executable)
        libexec = os.path.join(super().perform(context), 'lib', perform(context, self.package))
        found = shutil.which(executable, path=libexec)
        if found is None:
            raise SubstitutionFailure(f"executable '{executable}' not found in '{libexec}'")
        return found
