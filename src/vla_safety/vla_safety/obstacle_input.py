# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Messages about obstacles and carried objects, for the node."""

from collections.abc import Callable

from rclpy.serialization import deserialize_message

from vla_common.clock import steady_now
from vla_common.messages import stamp_to_ns
from vla_interfaces.msg import CarriedObject, CarriedObjects, KnownObstacle, KnownObstacles
from vla_safety.input_log import InputLog
from vla_safety.known_world import (
    LONGEST_ID,
    Arrival,
    HeldObject,
    KnownWorld,
    ObstacleReading,
    carried_entry,
    obstacles_entry,
)
from vla_safety.obstacle_shape import MOST_VERTICES, ObstacleShape

PER_ITEM = 512 + 2 * 4 * LONGEST_ID + 24 * MOST_VERTICES
"""Bytes of one obstacle or object, at most."""


class ObstacleInput:
    """Reads messages, serialised, into a KnownWorld.

    Args:
        world: takes what they say.
        log: of the node's inputs.
        wall_ns: the ROS clock.
        warn: reports a message that was dropped.
    """

    def __init__(
        self,
        world: KnownWorld,
        log: InputLog,
        wall_ns: Callable[[], int],
        warn: Callable[[str], None],
    ) -> None:
        self._world, self._log, self._wall_ns, self._warn = world, log, wall_ns, warn

    def on_obstacles(self, serialized: bytes) -> None:
        """A vla_interfaces/KnownObstacles."""
        # As many again may be removed.
        limit = 4096 + 2 * PER_ITEM * self._world.rules.max_count
        message = self._read(serialized, KnownObstacles, limit)
        if message is None:
            return
        readings = [_reading(item) for item in message.obstacles]
        given = message.header.frame_id, readings, list(message.removed), self._arrival(message)
        self._log.known(obstacles_entry(*given))
        self._report('obstacles', self._world.on_obstacles(*given))

    def on_carried(self, serialized: bytes) -> None:
        """A vla_interfaces/CarriedObjects."""
        limit = 4096 + PER_ITEM * len(self._world.hands)
        message = self._read(serialized, CarriedObjects, limit)
        if message is None:
            return
        given = [_object(item) for item in message.hands], self._arrival(message)
        self._log.known(carried_entry(*given))
        self._report('carried objects', self._world.on_carried(*given))

    def _arrival(self, message: KnownObstacles | CarriedObjects) -> Arrival:
        return Arrival(stamp_to_ns(message.header.stamp), steady_now(), self._wall_ns())

    def _read(self, serialized: bytes, kind: type, limit: int) -> object | None:
        # Reading a long message takes time in which no command would be published.
        why = f'{len(serialized)} bytes, wanted at most {limit}' * (len(serialized) > limit)
        if not why:
            try:
                return deserialize_message(serialized, kind)
            except Exception as error:
                why = f'{type(error).__name__}, wanted a {kind.__name__}'
        self._report(kind.__name__, self._world.reject(why))
        return None

    def _report(self, what: str, why: str) -> None:
        if why:
            self._warn(f'{what}: message dropped: {why}')


def _shape(message: object) -> ObstacleShape:
    vertices = tuple((p.x, p.y, p.z) for p in message.vertices)
    return ObstacleShape(message.type, tuple(message.dimensions), vertices)


def _pose(message: object) -> dict[str, tuple[float, ...]]:
    p, q = message.position, message.orientation
    return {'position': (p.x, p.y, p.z), 'orientation': (q.x, q.y, q.z, q.w)}


def _reading(message: KnownObstacle) -> ObstacleReading:
    m = message
    return ObstacleReading(
        id=m.id,
        shape=_shape(m.shape),
        max_speed=m.max_speed,
        position_error=m.position_error,
        **_pose(m.pose),
    )


def _object(message: CarriedObject) -> HeldObject:
    m = message
    return HeldObject(
        hand=m.hand,
        attached=m.attached,
        id=m.id,
        shape=_shape(m.shape),
        mass=m.mass,
        position_error=m.position_error,
        picked_from=m.picked_from,
        contact_time=m.contact_time,
        **_pose(m.pose),
    )
