# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""A torch module with a flow-matching head whose velocity field is at hand (`outputs.action.flow`),
so that sampling can be guided by what is committed of the motion under way: real-time chunking as
in blending/flow.py, with the gradient by torch's autograd.

Two methods of the module are called; x is normalised as the action is, t is 0 for noise and 1 for
chunks:

    context(image, state, ...) -> anything   the inputs in the order of policy.yaml, once a chunk
    velocity(x (1, h, k), t (1,), context) -> (1, h, k)
"""

from __future__ import annotations

from typing import Any

import numpy as np

from vla_common.errors import ConfigError
from vla_policy.bundle.bundle import Bundle
from vla_policy.guided_sampling import sample
from vla_policy.runtimes.torch_module import zeros


class FlowHead:
    """A Runtime that can also be led. module: on `device` and in its precision `dtype`."""

    name = 'pytorch'
    graph = 'none: a flow head is sampled step by step'

    def __init__(self, bundle: Bundle, module: Any, device: Any, dtype: Any) -> None:
        """Raises ConfigError for a module without those methods, or of other shapes."""
        import torch

        assert bundle.action is not None
        assert bundle.flow is not None
        file = str(bundle.directory / bundle.model)
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
        self._order = [part.tensor for part in bundle.inputs]
        self._shape = bundle.action.shape
        self._steps, self._guidance = bundle.flow.steps, bundle.flow.guidance
        self._random = np.random.default_rng(0)
        for parameter in module.parameters():
            parameter.requires_grad_(False)
        try:
            self.run(zeros(bundle))
        except Exception as error:  # whatever the module raises for inputs that do not fit
            lines = [line for line in str(error).splitlines() if line.strip()]
            found = lines[-1] if lines else repr(error)
            raise ConfigError(
                file, 'model', found, f'velocities {self._shape} for inputs {self._order}'
            ) from error

    def run(self, inputs: dict[str, np.ndarray]) -> np.ndarray:
        """One chunk (1, h, k), not led."""
        noise = self._random.standard_normal(self._shape)
        return self.sample(inputs, noise, None)[0][None]

    def sample(
        self,
        inputs: dict[str, np.ndarray],
        noise: np.ndarray,
        wanted: tuple[np.ndarray, np.ndarray] | None,
    ) -> list[np.ndarray]:
        """A chunk (h, k) for each noise of (n, h, k). wanted: what they are led to, (h, k), and how
        much at each point, (h,)."""
        torch = self._torch
        tensors = []
        for name in self._order:
            tensor = torch.from_numpy(inputs[name]).to(self._device)
            tensors.append(tensor.to(self._dtype) if tensor.is_floating_point() else tensor)
        with torch.no_grad():
            context = self._module.context(*tensors)
        field = _Field(self, context, led=wanted is not None)
        to, weights = wanted if wanted is not None else (None, None)
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
        """Bytes that torch holds on the device; 0 for the CPU."""
        if self._device.type != 'cuda':
            return 0
        return int(self._torch.cuda.memory_reserved(self._device))

    def close(self) -> None:
        self._module = None


class _Field:
    """The head's VelocityField for one observation. led: `pull_back` will be asked for, always at
    the x of the last `end`."""

    def __init__(self, head: FlowHead, context: Any, led: bool) -> None:
        import torch

        self._torch, self._head, self._context, self._led = torch, head, context, led
        self._x: Any = None
        self._end: Any = None

    def end(self, x: np.ndarray, t: float) -> np.ndarray:
        head, given = self._head, self._head.tensor(x)
        with self._torch.set_grad_enabled(self._led):
            if self._led:
                given.requires_grad_(True)
            end = head.end(given, t, self._context)
        self._x, self._end = given, end
        return end.detach()[0].double().cpu().numpy()

    def pull_back(self, x: np.ndarray, t: float, u: np.ndarray) -> np.ndarray:
        (pulled,) = self._torch.autograd.grad(self._end, self._x, self._head.tensor(u))
        return pulled[0].double().cpu().numpy()
