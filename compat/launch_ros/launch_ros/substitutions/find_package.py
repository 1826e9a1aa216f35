# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Where a package is installed."""

from ament_index_python.packages import get_package_prefix, get_package_share_directory
from launch.utilities import (
    describe_substitutions,
    normalize_to_list_of_substitutions,
    perform_substitutions,
)

from launch import SomeSubstitutionsType, Substitution


class FindPackage(Substitution):
    """Base class; raises ament_index_python.packages.PackageNotFoundError."""

    def __init__(self, package: SomeSubstitutionsType) -> None:
        self._package = normalize_to_list_of_substitutions(package)

    @property
    def package(self) -> list[Substitution]:
        return self._package

    def describe(self) -> str:
        return f'{type(self).__name__}(pkg={describe_substitutions(self._package)})'

    def find(self, package_name: str) -> str:
        raise NotImplementedError(f'{type(self).__name__}.find')

    def perform(self, context) -> str:
        return self.find(perform_substitutions(context, self._package))


class FindPackagePrefix(FindPackage):
    def find(self, package_name: str) -> str:
        return get_package_prefix(package_name)


class FindPackageShare(FindPackage):
    def find(self, package_name: str) -> str:
        return get_package_share_directory(package_name)
