# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Barrier: the robot and what it carries keep a distance from obstacles that come, go and move.

h = d(q) − r − margin of each pair of shapes, as in `collision`, with r the reach of the obstacle's
uncertainty: its position error, plus its greatest speed times the time from its measurement to the
end of the robot's brake. So a brake path that is proven free stays free while the obstacle moves
within what was declared, and the full brake remains an answer.

The numbers of the pairs are reserved in slots, one for each obstacle, and for what the hands hold.
An empty slot costs almost nothing, and no slot at all is reserved before the first message. An
obstacle that was seen again only lowers the known distances by how far it moved.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass, field

import coal
import numpy as np

from vla_robot.collision import CollisionModel, RigidShape, wrench
from vla_safety.coupled.barriers import BarrierSet
from vla_safety.coupled.collision import SPARE
from vla_safety.coupled.conservative_advancement import ConservativeAdvancement
from vla_safety.coupled.constraint_rows import RowSet, Subject
from vla_safety.coupled.nearest_first import NearestFirst
from vla_safety.known_world import Known, KnownWorld
from vla_safety.violations import Violation, ViolationKind, violation

EMPTY = Subject(ViolationKind.COLLISION, '')


class Body:
    """A shape, where it is now, and the reach of its uncertainty, m.

    Args:
        fixed: to the base.
    """

    __slots__ = ('_fixed', '_placement', '_transform', 'geometry', 'reach', 'shape')

    def __init__(self, shape: RigidShape, fixed: bool = False, reach: float = 0.0) -> None:
        self.geometry, self.reach, self._fixed = shape.geometry, reach, fixed
        self._placement = -1
        self.set(shape)

    def set(self, shape: RigidShape) -> None:
        """The same geometry elsewhere."""
        self.shape = shape
        self._transform = coal.Transform3s(shape.placement) if self._fixed else None

    def transform(self, model: CollisionModel) -> coal.Transform3s:
        if not self._fixed and self._placement != model.placements:
            self._transform = model.transform(self.shape)
            self._placement = model.placements
        return self._transform


@dataclass
class Slot:
    """One obstacle: its numbers begin at `first`. Rate of its reach, m/s."""

    first: int
    id: str = ''
    known: Known | None = None
    body: Body | None = None
    base_reach: float = 0.0
    speed: float = 0.0


@dataclass
class Hand:
    """What a hand holds, and its pairs: number, the other body; with what the hands before it hold,
    from number `objects` on."""

    frame: str
    pairs: list[tuple[int, Body]] = field(default_factory=list)
    objects: int = 0
    known: Known | None = None
    body: Body | None = None
    touching: str = ''
    touches_until: float = -math.inf


class KnownObstacles:
    """See the module; a barrier as in `barriers`.

    Args:
        model: shared with the other barriers.
        margin, floor: m, as in CollisionBarrier.
        hands: frames that may carry.
        n: joints.

    Attributes:
        moving: whether a reach depends on time.
        stale: why the motion is held; None if it is not.
        changes: those of KnownWorld that are taken over.
        is_news: they were taken over since its owner looked last.
    """

    def __init__(
        self, model: CollisionModel, margin: float, floor: float, hands: Iterable[str], n: int
    ) -> None:
        self._model = model
        self.zero, self.floor, self.spare, self.uses_mass = margin, floor, SPARE, False
        self.subjects: list[Subject] = []
        self.distance_bounds = np.zeros((0, n))
        self.moving = False
        self.stale: Violation | None = None
        self._solids = [Body(shape) for shape in model.solids]
        self._base = model.rigid_shape('', 'base', coal.Sphere(1e-3), np.eye(3), np.zeros(3)).joint
        rows = [(b, *model.pair_bounds((b.shape.joint, self._base), (b.shape.radius, math.inf)))
                for b in self._solids if b.shape.of_robot]  # fmt: skip
        # Of a shape that no joint moves the distance does not change.
        self._links = [(body, signs, bounds) for body, signs, bounds in rows if signs.any()]
        self._hands = [Hand(frame) for frame in hands]
        self._slots: list[Slot] = []
        self._pairs: list[tuple[Body, Body] | None] = []
        self._signs: list[np.ndarray | None] = []
        self.changes = 0
        self.is_news = False
        self._horizon = 0.0
        self._request, self._result = coal.DistanceRequest(), coal.DistanceResult()

    # --- the interface of a barrier --------------------------------------------------------

    def measure(self, index: int, q: np.ndarray, rows: RowSet, more: float) -> float:
        """The distance of a pair less its reach; see `barriers`."""
        first, second = self._pairs[index]
        result = self._result
        result.clear()
        coal.distance(
            first.geometry,
            first.transform(self._model),
            second.geometry,
            second.transform(self._model),
            self._request,
            result,
        )
        reach = first.reach + second.reach
        distance = result.min_distance - reach
        clearance = distance - self.zero
        if not clearance >= more:
            limit = self.zero + reach
            rows.add(self.subjects[index], clearance, limit, wrench(result), self._signs[index])
        return distance

    # --- slots -----------------------------------------------------------------------------

    def reserve(self, obstacles: int) -> bool:
        """Make room for that many obstacles; True if there was not, and the numbers grew."""
        if obstacles <= len(self._slots) and self.subjects:
            return False
        # A power of two, so that growing is rare.
        obstacles = 1 << (obstacles - 1).bit_length() if obstacles else 0
        if not self.subjects:
            self._reserve_hands()
        while len(self._slots) < obstacles:
            self._slots.append(Slot(len(self.subjects)))
            self._grow(len(self._links) + len(self._hands))
        return True

    def _reserve_hands(self) -> None:
        for k, hand in enumerate(self._hands):
            own = self._model.frame_joint(hand.frame)
            others = [b for b in self._solids if not self._model.is_beyond(b.shape.joint, own)]
            hand.pairs = [(len(self.subjects) + i, body) for i, body in enumerate(others)]
            hand.objects = len(self.subjects) + len(others)
            self._grow(len(others) + k)

    def _grow(self, count: int) -> None:
        self.subjects += [EMPTY] * count
        self._pairs += [None] * count
        self._signs += [None] * count
        rows = np.zeros((count, self.distance_bounds.shape[1]))
        self.distance_bounds = np.concatenate((self.distance_bounds, rows))

    def connect(
        self, quantities: BarrierSet, bounds: NearestFirst, proof: ConservativeAdvancement
    ) -> None:
        """Numbers here are the last of `quantities`."""
        self._quantities, self._bounds, self._proof = quantities, bounds, proof
        self._offset = len(quantities.subjects) - len(self.subjects)

    def owns(self, quantity: int) -> bool:
        """Whether a number of the whole list is one of these."""
        return quantity >= self._offset

    def _begin(
        self, k: int, first: Body, second: Body, signs: np.ndarray, row: np.ndarray, name: str
    ) -> None:
        self._pairs[k], self._signs[k] = (first, second), signs
        self.distance_bounds[k] = row
        subject = Subject(ViolationKind.COLLISION, name)
        self.subjects[k] = self._quantities.subjects[self._offset + k] = subject
        self._bounds.begin(self._offset + k, row)
        self._proof.forget(self._offset + k)

    def _end(self, k: int) -> None:
        if self._pairs[k] is not None:
            self._pairs[k] = self._signs[k] = None
            self.distance_bounds[k] = 0.0
            self._bounds.end(self._offset + k)
            self._proof.forget(self._offset + k)

    # --- what is known ---------------------------------------------------------------------

    def update(self, world: KnownWorld, now: float) -> bool:
        """Take over what changed; after `reserve`. now: s, steady. Returns whether pairs did."""
        stale = world.stale(now)
        self.stale = None
        if stale is not None:
            name, age = stale
            limit = world.rules.max_age
            self.stale = violation(ViolationKind.OBSTACLE_STALE, name, age, limit)
        changed = world.changes != self.changes
        if changed:
            self.changes, self.is_news = world.changes, True
            self._update_hands(world, now)
            self._update_slots(world)
        for i, hand in enumerate(self._hands):
            if hand.touching and now >= hand.touches_until:
                hand.touching, changed = '', True
                self._pair_object(i)
        self.moving = False
        for slot in self._slots:
            if slot.known is not None:
                age = world.margin_age(slot.known, now)
                slot.base_reach = slot.known.reading.position_error + slot.speed * age
                self.moving = self.moving or slot.speed > 0.0
        if changed or self.moving:
            self.look_ahead(self._horizon)
        return changed

    def look_ahead(self, horizon: float) -> None:
        """Let obstacles move for `horizon` s from now on."""
        self._horizon = horizon
        for slot in self._slots:
            if slot.body is None:
                continue
            reach = slot.base_reach + slot.speed * horizon
            more = reach - slot.body.reach
            if more != 0.0:
                slot.body.reach = reach
                self._shift(slot, more, floors=True)

    def _shift(self, slot: Slot, nearer: float, floors: bool) -> None:
        first = self._offset + slot.first
        last = first + len(self._links) + len(self._hands)
        self._bounds.shift(first, last, nearer)
        if floors:
            # What began nearer than its floor: the obstacle approaches, the robot does not.
            self._proof.shift(first, last, nearer)

    def _update_slots(self, world: KnownWorld) -> None:
        held = {known.reading.id for known in world.carried.values()}
        wanted = {name: k for name, k in world.obstacles.items() if name not in held}
        for slot in self._slots:
            if slot.id and slot.id not in wanted:
                for k in range(slot.first, slot.first + len(self._links) + len(self._hands)):
                    self._end(k)
                slot.id, slot.known, slot.body, slot.speed = '', None, None, 0.0
        slots = {slot.id: slot for slot in self._slots if slot.id}
        free = [slot for slot in self._slots if not slot.id]
        for name, known in wanted.items():
            slot = slots.get(name) or free.pop(0)
            if slot.known is not known:
                self._place(slot, name, known)

    def _place(self, slot: Slot, name: str, known: Known) -> None:
        before, reading = slot.known, known.reading
        slot.id, slot.known, slot.speed = name, known, reading.max_speed
        same = before is not None and before.reading.shape == reading.shape
        geometry = slot.body.geometry if same else reading.shape.geometry()
        shape = self._model.rigid_shape(
            name, 'base', geometry, known.rotation, np.array(reading.position)
        )
        if same:
            # The pairs keep what is known of them, less the way that the obstacle has come.
            slot.body.set(shape)
            self._shift(slot, _way(before, known), floors=False)
            for i, hand in enumerate(self._hands):
                self._pair_obstacle(slot, i, hand)
            return
        slot.body = Body(shape, True, reading.position_error)
        for i, (link, signs, row) in enumerate(self._links):
            self._begin(slot.first + i, link, slot.body, signs, row, _with(name, link.shape.name))
        for i, hand in enumerate(self._hands):
            self._pair_obstacle(slot, i, hand)

    # --- objects in the hands --------------------------------------------------------------

    def _update_hands(self, world: KnownWorld, now: float) -> None:
        for i, hand in enumerate(self._hands):
            known = world.carried.get(hand.frame)
            if known is hand.known:
                continue
            hand.known, hand.body, hand.touching = known, None, ''
            if known is not None:
                item = known.reading
                shape = self._model.rigid_shape(
                    f'{item.id} in {hand.frame}',
                    hand.frame,
                    item.shape.geometry(),
                    known.rotation,
                    np.array(item.position),
                )
                hand.body = Body(shape, reach=item.position_error)
                hand.touches_until = known.arrival.now + item.contact_time - known.arrival.age
                hand.touching = item.picked_from if now < hand.touches_until else ''
            self._pair_object(i)

    def _pair_object(self, index: int) -> None:
        """The pairs of what a hand holds."""
        hand = self._hands[index]
        for k, other in hand.pairs:
            self._pair(k, hand, other, f'{{}}-{other.shape.name}')
        for other in range(len(self._hands)):
            if other != index:
                sooner, later = sorted((other, index))
                k = self._hands[later].objects + sooner
                self._pair_objects(k, self._hands[later], self._hands[sooner])
        for slot in self._slots:
            if slot.id:
                self._pair_obstacle(slot, index, hand)

    def _pair_objects(self, k: int, one: Hand, other: Hand) -> None:
        if one.body is None or other.body is None:
            self._end(k)
        else:
            self._pair(k, one, other.body, f'{{}}-{other.body.shape.name}')

    def _pair_obstacle(self, slot: Slot, index: int, hand: Hand) -> None:
        k = slot.first + len(self._links) + index
        self._pair(k, hand, slot.body, _with(slot.id, '{}'))

    def _pair(self, k: int, hand: Hand, other: Body, name: str) -> None:
        """Pair what a hand holds with `other`, unless it may touch it; name: {} is the object."""
        if hand.body is None or hand.touching == other.shape.name != '':
            self._end(k)
            return
        first, second = hand.body.shape, other.shape
        signs, row = self._model.pair_bounds(
            (first.joint, second.joint), (first.radius, second.radius)
        )
        if not signs.any():
            self._end(k)
            return
        self._begin(k, hand.body, other, signs, row, name.format(first.name))


def _with(obstacle: str, mine: str) -> str:
    """Of a report: "collision with obstacle box (left_palm)"."""
    return f'with obstacle {obstacle} ({mine})'


def _way(before: Known, after: Known) -> float:
    """m, the most by which a point of an obstacle has moved."""
    turned = float(np.linalg.norm(after.rotation - before.rotation)) / math.sqrt(2.0)
    path = np.subtract(after.reading.position, before.reading.position)
    return float(np.linalg.norm(path)) + turned * after.reading.shape.reach() + 1e-9
