# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""A piece of text that is known only while launching."""


class Substitution:
    """Base class: `perform` gives the text, `describe` its unexpanded form."""

    def describe(self) -> str:
        return repr(self)

    def perform(self, context) -> str:
        raise NotImplementedError(f'{type(self).__name__}.perform')
