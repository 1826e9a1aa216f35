# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""A line in the launch log."""

from .. import logging
from ..action import Action
from ..some_substitutions_type import SomeSubstitutionsType
from ..utilities import (
    describe_substitutions,
    normalize_to_list_of_substitutions,
    perform_substitutions,
)


class LogInfo(Action):
    def __init__(self, *, msg: SomeSubstitutionsType, **kwargs) -> None:
        super().__init__(**kwargs)
        self.msg = normalize_to_list_of_substitutions(msg)

    def describe(self) -> str:
        return f'LogInfo({describe_substitutions(self.msg)})'

    def execute(self, context) -> None:
        logging.get_logger('launch.user').info(perform_substitutions(context, self.msg))
