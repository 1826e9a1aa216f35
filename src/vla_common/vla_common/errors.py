# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The one error for bad configuration, and exceptions as one line."""

import os


class ConfigError(ValueError):
    """Something in a configuration file or parameter set cannot be used.

    The four parts are kept, so that callers can show or test them one by one.
    """

    def __init__(self, file: str | os.PathLike[str], key: str, found: object, wanted: str) -> None:
        self.file = os.fspath(file)
        self.key = key
        self.found = found
        self.wanted = wanted
        shown = found if isinstance(found, str) and found.strip() else repr(found)
        place = f'{self.file}: {key}' if key else self.file
        message = f'{place}: found {shown}, wanted {wanted}'
        # One line, whatever a library put into its own message.
        super().__init__(' '.join(line.strip() for line in message.splitlines()))


def first_line(error: BaseException | str) -> str:
    """The first line of an error message; the exception's type where the message is empty."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]
