# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Where a launch description comes from."""

import traceback

from . import logging
from .launch_context import LaunchContext
from .launch_description import LaunchDescription
from .some_substitutions_type import SomeSubstitutionsType


class LaunchDescriptionSource:
    """A launch description and its location; subclasses load it from there."""

    def __init__(
        self,
        launch_description: 'LaunchDescription | None' = None,
        location: SomeSubstitutionsType = '<string>',
        method: str = 'unspecified mechanism from a script',
    ) -> None:
        from .utilities import normalize_to_list_of_substitutions

        self._launch_description = launch_description
        self._location = normalize_to_list_of_substitutions(location)
        self._expanded_location: str | None = None
        self._method = method

    @property
    def location(self) -> str:
        if self._expanded_location is None:
            return ' + '.join(part.describe() for part in self._location)
        return self._expanded_location

    @property
    def method(self) -> str:
        return self._method

    def get_launch_description(self, context) -> LaunchDescription:
        from .utilities import perform_substitutions

        if self._expanded_location is None:
            self._expanded_location = perform_substitutions(context, self._location)
        if self._launch_description is None:
            self._launch_description = self._get_launch_description(self._expanded_location)
        return self._launch_description

    def try_get_launch_description_without_context(self) -> 'LaunchDescription | None':
        """The description if its location needs no launch configuration, else None."""
        from .utilities import perform_substitutions

        if self._launch_description is not None:
            return self._launch_description
        try:
            location = perform_substitutions(LaunchContext(), self._location)
            return self._get_launch_description(location)
        except Exception:  # whatever an included file raises: it may only lack its arguments
            logging.get_logger('launch').debug(traceback.format_exc())
            return None

    def _get_launch_description(self, location: str) -> LaunchDescription:
        raise RuntimeError(f'no launch description was given for {location!r}')
