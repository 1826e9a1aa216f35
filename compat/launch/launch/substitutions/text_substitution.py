# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Text that stands for itself."""

from ..substitution import Substitution


class TextSubstitution(Substitution):
    """A fixed text among substitutions."""

    def __init__(self, *, text: str) -> None:
        if not isinstance(text, str):
            raise TypeError(
                f"TextSubstitution expected Text object got '{type(text).__name__}' instead."
            )
        self._text = text

    @property
    def text(self) -> str:
        return self._text

    def describe(self) -> str:
        return f"'{self._text}'"

    def perform(self, context) -> str:
        return self._text
