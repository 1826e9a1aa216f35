# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""What the filter knows about obstacles and about the objects in the hands.

A message is taken as a whole or dropped as a whole, counted and reported. Obstacles age: nothing is
forgotten that nobody removed. Beyond `max_age` an obstacle either stays with the margin of that age
(StalePolicy.KEEP), or the motion is held until it is seen again (StalePolicy.HOLD).
"""

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from enum import Enum

import numpy as np

from vla_common.rotation import rotation_matrix
from vla_common.stamps import describe_ahead
from vla_robot import RobotModel
from vla_safety.obstacle_shape import ObstacleShape

FASTEST = 10.0
"""m/s, of an obstacle."""
LARGEST_ERROR = 1.0
"""m, of a position."""
FARTHEST = 20.0
"""m, of an obstacle from the base."""
MAX_AHEAD = 0.05
"""s that a stamp may be ahead of this machine's clock: the margin of an obstacle would lack as much
growth."""
LONGEST_ID = 64
"""Characters."""
FROM_HAND = 1.0
"""m, of an object's origin from the hand that carries it."""
PAYLOAD_TIME = 0.5
"""s in which the weight of an object enters the feed-forward effort, and leaves it: its full step
would jerk the arm."""


class StalePolicy(str, Enum):
    """What becomes of an obstacle that was not seen for `max_age`."""

    KEEP = 'keep'
    HOLD = 'hold'


@dataclass(frozen=True)
class ObstacleRules:
    """No field has a default: the values live in config/safety_filter.yaml.

    Attributes:
        max_count: obstacles known at a time.
        max_age: s since an obstacle was measured, after which `stale` applies.
        stale: see StalePolicy.
        max_mass: kg, of an object in a hand.
        max_contact_time: s for which an object may touch what it was picked from.
    """

    max_count: int
    max_age: float
    stale: StalePolicy
    max_mass: float
    max_contact_time: float


@dataclass(frozen=True)
class ObstacleReading:
    """One obstacle as measured; see vla_interfaces/KnownObstacle. Position (3) m and orientation
    (x, y, z, w) in the base's frame, m/s, m."""

    id: str
    shape: ObstacleShape
    position: tuple[float, float, float]
    orientation: tuple[float, float, float, float]
    max_speed: float
    position_error: float


@dataclass(frozen=True)
class HeldObject:
    """What a hand holds; see vla_interfaces/CarriedObject. Pose in the hand's frame."""

    hand: str
    attached: bool
    id: str
    shape: ObstacleShape
    position: tuple[float, float, float]
    orientation: tuple[float, float, float, float]
    mass: float
    position_error: float
    picked_from: str
    contact_time: float


@dataclass(frozen=True)
class Arrival:
    """stamp: of the message, ns. now: s, steady. wall_ns: ROS clock. Both at its arrival."""

    stamp: int
    now: float
    wall_ns: int

    @property
    def age(self) -> float:
        """s, at the arrival; not below 0."""
        return max(0.0, (self.wall_ns - self.stamp) * 1e-9)


@dataclass(frozen=True)
class Known:
    """A reading, when it arrived, and its rotation (3, 3)."""

    reading: ObstacleReading | HeldObject
    arrival: Arrival
    rotation: np.ndarray

    def age(self, now: float) -> float:
        """s since it was measured; now: s, steady."""
        return self.arrival.age + max(0.0, now - self.arrival.now)


@dataclass
class Payload:
    """A point mass at a hand: kg in force, kg in the end, kg/s in between."""

    frame: str
    position: np.ndarray
    mass: float
    target: float
    rate: float


@dataclass
class KnownWorld:
    """See the module.

    Args:
        rules: settings.
        base_frames: names of the base's frame.
        hands: frames that may carry.

    Attributes:
        obstacles: by id. carried: by hand.
        changes: number of changes of these two.
        rejected: messages dropped. last_rejection: why the last one was.
    """

    rules: ObstacleRules
    base_frames: tuple[str, ...]
    hands: tuple[str, ...]
    obstacles: dict[str, Known] = field(default_factory=dict)
    carried: dict[str, Known] = field(default_factory=dict)
    changes: int = 0
    rejected: int = 0
    last_rejection: str = ''
    _payloads: dict[tuple[str, str], Payload] = field(default_factory=dict)
    _hand_stamps: dict[str, int] = field(default_factory=dict)

    @classmethod
    def of(cls, robot: RobotModel, rules: ObstacleRules) -> 'KnownWorld':
        return cls(rules, ('base', robot.frames['base']), tuple(robot.hands))

    # --- messages --------------------------------------------------------------------------

    def on_obstacles(
        self,
        frame: str,
        readings: Sequence[ObstacleReading],
        removed: Sequence[str],
        arrival: Arrival,
    ) -> str:
        """Obstacles that were added, seen again, or removed.

        Returns:
            Why the message was dropped; '' if it was taken.
        """
        return self._reject(self._obstacles_fault(frame, readings, removed, arrival)) or (
            self._take(readings, removed, arrival)
        )

    def _obstacles_fault(
        self,
        frame: str,
        readings: Sequence[ObstacleReading],
        removed: Sequence[str],
        arrival: Arrival,
    ) -> str:
        if frame.lstrip('/') not in self.base_frames:
            wanted = ' or '.join(dict.fromkeys(self.base_frames))
            return f'header.frame_id {_short(frame)!r}, wanted {wanted}'
        late = _ahead(arrival)
        if late:
            return late
        if readings and not arrival.age <= self.rules.max_age:
            return f'header.stamp {arrival.age:.3f} s old, wanted at most {self.rules.max_age:g} s'
        ids = [reading.id for reading in readings]
        if len({*ids, *removed}) < len(ids) + len(removed):
            return 'an id twice, wanted each once'
        for name in (*ids, *removed):
            known = self.obstacles.get(name)
            if known is not None and arrival.stamp <= known.arrival.stamp:
                return f'{_short(name)!r}: header.stamp not newer than the last, wanted a newer one'
        count = len(({*self.obstacles} - {*removed}) | {*ids})
        if count > self.rules.max_count:
            return f'{count} obstacles, wanted at most {self.rules.max_count} (obstacles.max_count)'
        for k, reading in enumerate(readings):
            fault = _fault(reading, FARTHEST)
            if not fault and not 0.0 <= reading.max_speed <= FASTEST:
                fault = f'max_speed {reading.max_speed:g} m/s, wanted 0 to {FASTEST:g} m/s'
            if fault:
                return f'obstacles[{k}] {_short(reading.id)!r}: {fault}'
        return ''

    def _take(
        self, readings: Sequence[ObstacleReading], removed: Sequence[str], arrival: Arrival
    ) -> str:
        for name in removed:
            self.obstacles.pop(name, None)
        for reading in readings:
            self.obstacles[reading.id] = _known(reading, arrival)
        self.changes += 1
        return ''

    def on_carried(self, objects: Sequence[HeldObject], arrival: Arrival) -> str:
        """What hands hold; the same return as `on_obstacles`."""
        fault = self._reject(self._carried_fault(objects, arrival))
        if fault:
            return fault
        for item in objects:
            self._hand_stamps[item.hand] = arrival.stamp
            for (hand, _), payload in self._payloads.items():
                if hand == item.hand:
                    payload.target = 0.0
            self.carried.pop(item.hand, None)
            if not item.attached:
                continue
            self.carried[item.hand] = _known(item, arrival)
            if item.mass > 0.0:
                before = self._payloads.get((item.hand, item.id))
                self._payloads[item.hand, item.id] = Payload(
                    item.hand,
                    np.array(item.position),
                    0.0 if before is None else before.mass,
                    item.mass,
                    item.mass / PAYLOAD_TIME,
                )
        self.changes += 1
        return ''

    def _carried_fault(self, objects: Sequence[HeldObject], arrival: Arrival) -> str:
        late = _ahead(arrival)
        if late:
            return late
        hands = [item.hand for item in objects]
        if len(set(hands)) < len(hands):
            return 'a hand twice, wanted each once'
        rules = self.rules
        for k, item in enumerate(objects):
            where = f'hands[{k}] {_short(item.hand)!r}: '
            if item.hand not in self.hands:
                return f'{where}no hand, wanted one of {", ".join(self.hands) or "none"}'
            before = self._hand_stamps.get(item.hand)
            if before is not None and arrival.stamp <= before:
                return f'{where}header.stamp not newer than the last, wanted a newer one'
            if not item.attached:
                continue
            fault = _fault(item, FROM_HAND)
            if not fault and not 0.0 <= item.mass <= rules.max_mass:
                fault = f'mass {item.mass:g} kg, wanted 0 to {rules.max_mass:g} kg'
            if not fault and not 0.0 <= item.contact_time <= rules.max_contact_time:
                fault = (
                    f'contact_time {item.contact_time:g} s, '
                    f'wanted 0 to {rules.max_contact_time:g} s'
                )
            if fault:
                return where + fault
        return ''

    def reject(self, why: str) -> str:
        """Count and remember a message that cannot be used."""
        return self._reject(why)

    def _reject(self, why: str) -> str:
        if why:
            self.rejected += 1
            self.last_rejection = why
        return why

    # --- what is in force ------------------------------------------------------------------

    def margin_age(self, known: Known, now: float) -> float:
        """s by which an obstacle's margin has grown."""
        return min(known.age(now), self.rules.max_age)

    def stale(self, now: float) -> tuple[str, float] | None:
        """The oldest obstacle beyond `max_age`, and its age in s, if it holds the motion."""
        if self.rules.stale is not StalePolicy.HOLD or not self.obstacles:
            return None
        age, name = max((known.age(now), name) for name, known in self.obstacles.items())
        return None if age <= self.rules.max_age else (name, age)

    def describe(self, now: float) -> dict[str, str]:
        """For /diagnostics."""
        oldest = max((known.age(now) for known in self.obstacles.values()), default=0.0)
        values = {
            'obstacles': str(len(self.obstacles)),
            'obstacles_oldest_s': f'{oldest:.1f}',
            'obstacle_messages_dropped': str(self.rejected),
        }
        for hand, known in self.carried.items():
            values[f'carried.{hand}'] = f'{known.reading.id}, {known.reading.mass:g} kg'
        if self.last_rejection:
            values['last_obstacle_message_dropped'] = self.last_rejection
        return values

    def loads(self, dt: float) -> list[tuple[str, float, np.ndarray]] | None:
        """Point masses for the feed-forward effort `dt` s later; None while they do not change."""
        if all(p.mass == p.target for p in self._payloads.values()):
            return None
        for key, p in list(self._payloads.items()):
            step = p.rate * max(0.0, dt)
            p.mass += min(max(p.target - p.mass, -step), step)
            if p.mass == p.target == 0.0:
                del self._payloads[key]
        return [(p.frame, p.mass, p.position) for p in self._payloads.values()]

    # --- for the log -----------------------------------------------------------------------

    def snapshot(self) -> Iterator[str]:
        """Entries that rebuild the present obstacles and objects; see `replay`."""
        for known in self.obstacles.values():
            yield obstacles_entry(self.base_frames[0], [known.reading], [], known.arrival)
        for known in self.carried.values():
            yield carried_entry([known.reading], known.arrival)

    def replay(self, entry: str) -> None:
        """Apply what `obstacles_entry` or `carried_entry` returned."""
        data = json.loads(entry)
        arrival = Arrival(*data['arrival'])
        if 'hands' in data:
            self.on_carried([HeldObject(**_read(item)) for item in data['hands']], arrival)
        else:
            readings = [ObstacleReading(**_read(item)) for item in data['obstacles']]
            self.on_obstacles(data['frame'], readings, data['removed'], arrival)


def obstacles_entry(
    frame: str, readings: Sequence[ObstacleReading], removed: Sequence[str], arrival: Arrival
) -> str:
    """A message as text, exact."""
    body = {'frame': frame, 'obstacles': [asdict(r) for r in readings], 'removed': list(removed)}
    return json.dumps({'arrival': (arrival.stamp, arrival.now, arrival.wall_ns), **body})


def carried_entry(objects: Sequence[HeldObject], arrival: Arrival) -> str:
    """A message as text, exact."""
    times = arrival.stamp, arrival.now, arrival.wall_ns
    return json.dumps({'arrival': times, 'hands': [asdict(item) for item in objects]})


def _read(item: dict) -> dict:
    shape = item.pop('shape')
    vertices = tuple(map(tuple, shape['vertices']))
    shape = ObstacleShape(shape['type'], tuple(shape['dimensions']), vertices)
    return {k: tuple(v) if isinstance(v, list) else v for k, v in item.items()} | {'shape': shape}


def _known(reading: ObstacleReading | HeldObject, arrival: Arrival) -> Known:
    x, y, z, w = reading.orientation
    wxyz = np.array((w, x, y, z))
    return Known(reading, arrival, rotation_matrix(wxyz / np.linalg.norm(wxyz)))


def _fault(reading: ObstacleReading | HeldObject, farthest: float) -> str:
    """What obstacles and objects have in common."""
    if not 1 <= len(reading.id) <= LONGEST_ID or not reading.id.isprintable():
        return f'id of {len(reading.id)} characters, wanted 1 to {LONGEST_ID}, printable'
    distance = math.hypot(*reading.position)
    if not distance <= farthest:  # nor NaN
        return f'pose.position {distance:g} m away, wanted at most {farthest:g} m'
    length = math.hypot(*reading.orientation)
    if not 0.99 <= length <= 1.01:
        return f'pose.orientation of length {length:g}, wanted 1'
    if not 0.0 <= reading.position_error <= LARGEST_ERROR:
        error = reading.position_error
        return f'position_error {error:g} m, wanted 0 to {LARGEST_ERROR:g} m'
    return reading.shape.fault()


def _ahead(arrival: Arrival) -> str:
    ahead = (arrival.stamp - arrival.wall_ns) * 1e-9
    return f'header.stamp {describe_ahead(ahead)}, wanted now or earlier' * (ahead > MAX_AHEAD)


def _short(text: str) -> str:
    return text if len(text) <= LONGEST_ID else f'{text[:LONGEST_ID]}…'
