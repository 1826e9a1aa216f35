# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""What an operator's page may send, and the answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal, Protocol

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from vla_common.states import Mode

LONGEST_REQUEST = 16_384
"""Bytes of one request: an instruction of 1000 characters, and the causes that were seen."""


class _Request(BaseModel):
    model_config = ConfigDict(extra='forbid', strict=True, frozen=True)


class Hello(_Request):
    """The first message: a page's own random number, kept while it is reloaded."""

    op: Literal['hello']
    page: str = Field(pattern=r'^[0-9a-f]{32}$')


class Take(_Request):
    """Take the lease."""

    op: Literal['take']
    name: str = Field(min_length=1, max_length=40)


class Release(_Request):
    """Release the lease."""

    op: Literal['release']


class Register(_Request):
    """Become the e-stop endpoint."""

    op: Literal['register']


class CheckIn(_Request):
    """Answer of the endpoint to a challenge; decimal, since JavaScript's numbers end at 2^53."""

    op: Literal['checkin']
    response: str = Field(pattern=r'^[0-9]{1,20}$')
    pressed: bool
    leaving: bool


class Leave(_Request):
    """Of a page that is being closed; without its socket."""

    op: Literal['leave']
    page: str = Field(pattern=r'^[0-9a-f]{32}$')
    response: str = Field(pattern=r'^[0-9]{1,20}$')


class Seen(_Request):
    """What an operator saw when requesting a step."""

    mode: str = Field(max_length=20)
    epoch: int
    causes: list[str] = Field(max_length=200)


class Step(_Request):
    """A step towards motion."""

    op: Literal['step']
    id: int
    step: Literal['reset', 'resume', 'arm']
    seen: Seen


class Run(_Request):
    """Carry out an instruction."""

    op: Literal['run']
    id: int
    text: str = Field(min_length=1, max_length=1000)
    time_limit: float = Field(ge=0.0, le=3600.0, allow_inf_nan=False)


class Cancel(_Request):
    """End the current instruction."""

    op: Literal['cancel']
    id: int


Request = Hello | Take | Release | Register | CheckIn | Leave | Step | Run | Cancel
_ADAPTER: TypeAdapter[Request] = TypeAdapter(Annotated[Request, Field(discriminator='op')])


def read_request(text: str) -> Request:
    """A message of an operator's page. Raises ValueError: it is none."""
    if len(text.encode('utf-8', 'surrogatepass')) > LONGEST_REQUEST:
        raise ValueError(f'found {len(text)} characters, wanted at most {LONGEST_REQUEST} bytes')
    try:
        return _ADAPTER.validate_json(text)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = '.'.join(str(part) for part in first['loc'])
        raise ValueError(f'{place or "message"}: {first["msg"]}') from error


@dataclass(frozen=True)
class Situation:
    """What the supervisor reports now."""

    mode: str
    epoch: int
    causes: tuple[str, ...]
    """`name (source)` of each, gone ones too."""

    @property
    def motion_allowed(self) -> bool:
        """Whether the robot may move."""
        return self.mode in (Mode.READY.name, Mode.RUNNING.name)

    def changed_since(self, seen: Seen) -> str:
        """What the operator has not seen yet; empty: nothing."""
        if seen.mode != self.mode:
            return f'the mode is {self.mode} now, not {seen.mode}'
        unseen = [cause for cause in self.causes if cause not in seen.causes]
        if unseen:
            return f'new causes since: {", ".join(unseen)}'
        if seen.epoch != self.epoch:
            return 'the robot was stopped again since'
        return ''


@dataclass(frozen=True)
class Answer:
    """To a step or a stop. success: None without an answer of the supervisor."""

    success: bool | None
    message: str


@dataclass(frozen=True)
class EndpointAnswer:
    """To a registration or a check-in; challenge: for the next check-in."""

    accepted: bool
    reason: str
    challenge: int


class RobotPort(Protocol):
    """The robot, as the server sees it."""

    async def stop(self, step: Literal['estop', 'safe_stop']) -> Answer: ...

    async def step(self, step: str, seen: Seen) -> Answer: ...

    async def run(self, text: str, time_limit: float) -> Answer: ...

    async def cancel(self) -> Answer: ...

    async def register(self) -> EndpointAnswer: ...

    async def check_in(self, response: int, pressed: bool, leaving: bool) -> EndpointAnswer: ...

    async def situation(self) -> Situation | None: ...

    def note(self, text: str) -> None: ...
