# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The base of what a launch description is made of."""


class LaunchDescriptionEntity:
    """Something that can be visited while launching, and looked through before."""

    def describe(self) -> str:
        return repr(self)

    def describe_sub_entities(self) -> list['LaunchDescriptionEntity']:
        """Entities that a visit of this one always yields."""
        return []

    def describe_conditional_sub_entities(self) -> list:
        """(reason, entities) pairs that a visit yields only under a condition."""
        return []

    def visit(self, context) -> 'list[LaunchDescriptionEntity] | None':
        """Do the work and return the entities to visit next."""
        return None

    def get_asyncio_future(self):
        """A future that is done when this entity's own work is, or None."""
        return None
