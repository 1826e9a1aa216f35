# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""What `runtime` in policy.yaml can be. Another package adds a name by an entry point."""

from vla_common.registry import Registry

RUNTIMES = Registry(
    'vla.runtimes',
    {
        'onnx': 'vla_policy.runtimes.onnx:OnnxRuntime',
        'torchscript': 'vla_policy.runtimes.torch_module:load_torchscript',
        'torch_export': 'vla_policy.runtimes.torch_export:load_torch_export',
        'pytorch': 'vla_policy.runtimes.pytorch:load_pytorch',
        'tensorrt': 'vla_policy.runtimes.tensorrt:TensorRtEngine',
        'litert': 'vla_policy.runtimes.litert:LiteRt',
    },
)
"""Runtimes of model files: called with (bundle, threads, device), return a `Runtime`."""

POLICIES = Registry(
    'vla.policies',
    {
        'scripted': 'vla_policy.scripted_policy:Scripted',
        'openpi': 'vla_policy.remote.load:OpenPi',
        'groot': 'vla_policy.remote.load:Groot',
    },
)
"""Policies without a model file: `read(top)` returns the bundle's spec, `load(bundle, robot,
timeout)` the policy."""
