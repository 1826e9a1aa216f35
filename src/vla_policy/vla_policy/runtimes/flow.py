# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Torch modules with a flow-matching head (`outputs.action.flow`), whose sampling can be guided by
the committed part of the motion: real-time chunking as in guided_sampling.py, with the gradient by
torch's autograd.

Two methods of the module are called; x is normalised like the action, t is 0 for noise and 1 for
chunks:

    context(image, state, ...) -> anything   the inputs in the order of policy.yaml, once per chunk
    velocity(x (1, h, k), t (1,), context) -> (1, h, k)
"""

from typing import Any

import numpy as np

from vla_common.errors import ConfigError
from vla_policy.bundle.bundle import Bundle
from vla_policy.bundle.model_spec import FlowSampling
from vla_policy.guided_sampling import sample
from vla_policy.runtimes import Runtime, last_line
from vla_policy.runtimes.torch_module import reserved_memory


class FlowRuntime(Runtime):
    """module: on `device` and in its precision `dtype`."""

    name = 'pytorch'
    graph = 'none: a flow head is sampled step by step'

    def __init__(
        self, bundle: Bundle, flow: FlowSampling, module: Any, device: Any, dtype: Any
    ) -> None:
        """Raises ConfigError for a module without those methods, or with other shapes."""
        import torch

        spec = bundle.model
        file = str(bundle.directory / spec.file)
        for method in ('context', 'velocity'):
            if not callable(getattr(module, method, None)):
                assert bundle.source is not None
                raise ConfigError(
                    str(bundle.file),
                    'outputs.action.flow',
                    f'{bundle.source.factory} without {method}()',
                    'a module with context() and velocity()',
                )
        self._torch, self._module, self._device, self._dtype = torch, module, device, dtype
        self._order = spec.inputs.tensors
        self._shape = spec.action.shape
        self._steps, self._guidance = flow.steps, flow.guidance
        self._random = np.random.default_rng(0)
        for parameter in module.parameters():
            parameter.requires_grad_(False)
        try:
            self.run(spec.inputs.zeros())
        except Exception as error:  # the type depends on the module
            wanted = f'velocities {self._shape} for inputs {self._order}'
            raise ConfigError(file, 'model', last_line(error), wanted) from error

    def run(self, inputs: dict[str, np.ndarray]) -> np.ndarray:
        """One chunk (1, h, k), not guided."""
        noise = self._random.standard_normal(self._shape)
        return self.sample(inputs, noise, None)[0][None]

    def sample(
        self,
        inputs: dict[str, np.ndarray],
        noise: np.ndarray,
        target: tuple[np.ndarray, np.ndarray] | None,
    ) -> list[np.ndarray]:
        torch = self._torch
        tensors = []
        for name in self._order:
            tensor = torch.from_numpy(inputs[name]).to(self._device)
            tensors.append(tensor.to(self._dtype) if tensor.is_floating_point() else tensor)
        with torch.no_grad():
            context = self._module.context(*tensors)
        field = _Field(self, context, guided=target is not None)
        to, weights = target if target is not None else (None, None)
        return [sample(field, one, self._steps, to, weights, self._guidance) for one in noise]

    def end(self, x: Any, t: float, context: Any) -> Any:
        """The predicted chunk x + (1 - t) v(x, t) for x (1, h, k)."""
        torch = self._torch
        at = torch.full((1,), t, dtype=self._dtype, device=self._device)
        velocity = self._module.velocity(x.to(self._dtype), at, context)
        if tuple(velocity.shape) != tuple(x.shape):
            raise ValueError(f'velocities {tuple(velocity.shape)} for {tuple(x.shape)}')
        return x + (1.0 - t) * velocity.to(x.dtype)

    def tensor(self, x: np.ndarray) -> Any:
        """float32 (1, h, k) on the device."""
        return self._torch.from_numpy(np.asarray(x, np.float32)[None]).to(self._device)

    def memory(self) -> int:
        return reserved_memory(self._torch, self._device)

    def close(self) -> None:
        self._module = None


class _Field:
    """The head's VelocityField for one observation. guided: `pull_back` is called, always at the x
    of the last `end`."""

    def __init__(self, head: FlowRuntime, context: Any, guided: bool) -> None:
        import torch

        self._torch, self._head, self._context, self._guided = torch, head, context, guided
        self._x: Any = None
        self._end: Any = None

    def end(self, x: np.ndarray, t: float) -> np.ndarray:
        head, given = self._head, self._head.tensor(x)
        with self._torch.set_grad_enabled(self._guided):
            if self._guided:
                given.requires_grad_(True)
            end = head.end(given, t, self._context)
        self._x, self._end = given, end
        return end.detach()[0].double().cpu().numpy()

    def pull_back(self, x: np.ndarray, t: float, u: np.ndarray) -> np.ndarray:
        (pulled,) = self._torch.autograd.grad(self._end, self._x, self._head.tensor(u))
        return pulled[0].double().cpu().numpy()
