# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The sessions of folders, in order of time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from vla_common.errors import ConfigError
from vla_monitor.recording import session
from vla_monitor.report.facts import SessionFacts, facts_of
from vla_monitor.report.load import load_session


@dataclass
class Sessions:
    """What was found. unread: folder and reason of the sessions that cannot be shown."""

    facts: list[SessionFacts] = field(default_factory=list)
    unread: list[tuple[Path, str]] = field(default_factory=list)


def read_sessions(folders: Iterable[Path]) -> Sessions:
    """Read each session once; a folder may be one, or hold some.

    Raises ConfigError: a folder does not exist, or holds none.
    """
    found = Sessions()
    for folder in dict.fromkeys(one.resolve() for top in folders for one in _sessions_in(top)):
        try:
            found.facts.append(facts_of(load_session(folder, bag=False)))
        except ConfigError as error:  # of a newer version
            found.unread.append((folder, str(error)))
        except OSError as error:
            found.unread.append((folder, error.strerror or str(error)))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            why = f'its files have another form ({type(error).__name__}: {error})'
            found.unread.append((folder, why))
    # The name is the time, too, for a session whose description is torn.
    found.facts.sort(key=lambda facts: facts.folder.name)
    if all(facts.start_ns for facts in found.facts):
        found.facts.sort(key=lambda facts: facts.start_ns)
    return found


def _sessions_in(folder: Path) -> Iterator[Path]:
    if not folder.is_dir():
        raise ConfigError(folder, '', 'no directory', 'a session, or a folder of sessions')
    if is_session(folder):
        yield folder
        return
    inner = [path for path in sorted(folder.iterdir()) if path.is_dir() and is_session(path)]
    if not inner:
        wanted = f'a session, or a folder of sessions ({session.DESCRIPTION}, *.mcap in each)'
        raise ConfigError(folder, '', 'no session', wanted)
    yield from inner


def is_session(folder: Path) -> bool:
    """Whether a folder looks like a session, readable or not."""
    return (folder / session.DESCRIPTION).exists() or any(folder.glob('*.mcap*'))
