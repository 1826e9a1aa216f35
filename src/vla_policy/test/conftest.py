from vla_policy.testing.fixtures import observe, robot  # noqa: F401
