from vla_common.testing import ros  # noqa: F401
from vla_policy.testing.fixtures import observe, robot  # noqa: F401
