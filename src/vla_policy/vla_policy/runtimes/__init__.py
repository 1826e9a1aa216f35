# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Runtimes of model files, one module each, behind one interface.

A runtime is imported only when a bundle names it: a machine that runs ONNX needs no torch.
"""

import importlib
import logging
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np

from vla_common.errors import ConfigError
from vla_policy.bundle.bundle import Bundle
from vla_policy.bundle.judged_outputs import JudgedOutput
from vla_policy.bundle.model_inputs import ImageInput, MaskInput
from vla_policy.bundle.model_spec import ModelSpec
from vla_policy.registry import RUNTIMES, installed_code

LOG = logging.getLogger('vla_policy')
CALLS = 3
REPEATABLE_RAD = 1e-3
"""As for a change of a model's form: below it is the rounding of a GPU's sums."""


class Runtime(Protocol):
    """A loaded model. Implementations inherit what has a default here."""

    name: str
    graph: str = ''
    """See `Policy.graph`."""

    def run(self, inputs: dict[str, np.ndarray]) -> np.ndarray:
        """The action tensor, float, from named input tensors, which are not kept or changed."""
        ...

    def run_all(self, inputs: dict[str, np.ndarray]) -> Mapping[str, np.ndarray]:
        """The tensors `ModelSpec.answered` by their name. Only called for a bundle with outputs
        beside the action."""
        raise NotImplementedError(f'the runtime {self.name} returns the action alone')

    def sample(
        self,
        inputs: dict[str, np.ndarray],
        noise: np.ndarray,
        target: tuple[np.ndarray, np.ndarray] | None,
    ) -> list[np.ndarray]:
        """Only for `outputs.action.flow`: a chunk (h, k) for each noise of (n, h, k), guided to
        the target (h, k) with weights (h,)."""
        raise NotImplementedError

    def memory(self) -> int:
        """Bytes on the device, 0 for the CPU."""
        return 0

    def close(self) -> None:
        """Release the model."""


def load_runtime(bundle: Bundle, threads: int = 1, device: str = 'cpu') -> Runtime:
    """A loaded model that gives one answer to one input. Raises ConfigError: file, key, found,
    wanted."""
    with installed_code(bundle.directory):
        make = RUNTIMES.load(bundle.runtime, str(bundle.file), 'runtime')
        try:
            runtime = make(bundle, threads, device)
            check_repeatable(bundle, runtime)
        except ConfigError:
            raise
        except Exception as error:  # libraries raise many types, after all checks of ours
            raise unusable(bundle, error) from error
    return runtime


def unusable(bundle: Bundle, error: Exception) -> ConfigError:
    """A library's error about the model file in one line; the whole of it at level debug."""
    LOG.debug('%s: %s', bundle.file, bundle.runtime, exc_info=error)
    found = f'{type(error).__name__}: {last_line(error)}'
    wanted = f'a model that {bundle.runtime} can load and run with the inputs of policy.yaml'
    return ConfigError(str(bundle.directory / bundle.model.file), 'model', found, wanted)


def last_line(error: Exception) -> str:
    """The last line of an exception's message: where torch has the cause."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else repr(error)


def check_repeatable(bundle: Bundle, runtime: Runtime) -> None:
    """Raise ConfigError for a model whose answer to one input changes by itself: dropout that was
    left on, noise that is no input, a memory of earlier calls."""
    spec = bundle.model
    random = np.random.default_rng(0)
    inputs = spec.inputs.zeros()
    constants = {part.tensor for part in spec.inputs.constants}
    for tensor in (tensor for name, tensor in inputs.items() if name not in constants):
        if tensor.dtype == np.float32:  # zeros would hide dropout
            tensor[...] = random.standard_normal(tensor.shape)
        else:
            tensor[...] = 1
    noise = random.standard_normal(spec.action.shape)

    def answer() -> list[np.ndarray]:
        if spec.flow is not None:
            found = [runtime.sample(inputs, noise, None)[0]]
        elif len(spec.answered) > 1:
            whole = runtime.run_all(inputs)
            found = [whole[name] for name in spec.answered]
        else:
            found = [runtime.run(inputs)]
        rest = [np.array(one, np.float64) for one in found[1:]]
        return [np.array(found[0], np.float64) * spec.action.std, *rest]

    first, *others = [answer() for _ in range(CALLS)]
    # Answers that are not finite, or of another shape, are reported when a chunk is made.
    with np.errstate(invalid='ignore'):
        off = max(
            float(np.nan_to_num(np.abs(b - a)).max(initial=0.0))
            for other in others
            for a, b in zip(first, other, strict=True)
        )
    if not off <= REPEATABLE_RAD:
        runtime.close()
        raise ConfigError(
            str(bundle.directory / spec.file),
            'model',
            f'answers to one input that differ by {off:.2g} rad: it draws random numbers (dropout '
            'left on, noise of its own) or remembers calls',
            'one answer: model.eval() before it is traced or exported, and noise as an input '
            '(inputs.noise)',
        )


def require(bundle: Bundle, module: str, package: str = '') -> Any:
    """An optional module. Raises ConfigError with the name of its package, where that differs."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        wanted = f'the Python package {package or error.name} installed'
        raise ConfigError(str(bundle.file), 'runtime', bundle.runtime, wanted) from error


class TensorInfo(NamedTuple):
    """kind: name of the dtype. shape: -1 for a free dimension."""

    kind: str
    shape: tuple[int, ...]


def check_tensors(
    file: str,
    spec: ModelSpec,
    inputs: Mapping[str, TensorInfo],
    outputs: Mapping[str, TensorInfo],
    floats: Sequence[str],
    integers: Sequence[str] = ('int64',),
    masks: Sequence[str] = ('bool',),
    pixels: Sequence[str] = (),
) -> None:
    """Compare a model's tensors with policy.yaml. Raises ConfigError.

    floats, integers, masks: types to which the runtime converts float32, integers and booleans.
    pixels: likewise images that are not normalised.
    """
    for part in spec.inputs:
        whole = (*integers, *masks) if isinstance(part, MaskInput) else integers
        kinds = {'i': whole, 'b': (*masks, *integers)}.get(np.dtype(part.dtype).kind, floats)
        note = ''
        if isinstance(part, ImageInput) and pixels:
            if part.plain:
                kinds = (*kinds, *pixels)
            else:
                note = f' ({" or ".join(pixels)}: range [0, 255], mean 0 and std 1)'
        _check_tensor(file, 'input', part.tensor, inputs, kinds, part.shape, note=note)
    for name in inputs:
        if name not in spec.inputs.tensors:
            wanted = f'only those of policy.yaml: {", ".join(spec.inputs.tensors)}'
            raise ConfigError(file, f'input {name}', 'an input', wanted)
    _check_tensor(file, 'output', spec.action.tensor, outputs, floats, spec.action.shape)
    if spec.followed_gripper is not None:
        gripper = spec.followed_gripper
        shape = (1, spec.action.horizon, len(gripper.grippers))
        _check_tensor(file, 'output', gripper.tensor, outputs, floats, shape)
    for output in spec.judged.values():
        declared = outputs.get(output.tensor)
        shape = fitting_shape(declared, output) if declared is not None else None
        wanted = output.shapes if shape is None else (shape,)
        _check_tensor(file, 'output', output.tensor, outputs, floats, *wanted)
    memory = spec.inputs.memory
    if memory is not None:
        _check_tensor(file, 'output', memory.following, outputs, floats, memory.shape)


def fitting_shape(declared: TensorInfo, output: JudgedOutput) -> tuple[int, ...] | None:
    """The allowed shape of an output that is the declared one, apart from free dimensions."""
    return next((shape for shape in output.shapes if _fits(declared.shape, shape)), None)


def _fits(declared: tuple[int, ...], shape: tuple[int, ...]) -> bool:
    same = len(declared) == len(shape)
    return same and all(a in (-1, b) for a, b in zip(declared, shape, strict=True))


def _check_tensor(
    file: str,
    side: str,
    name: str,
    there: Mapping[str, TensorInfo],
    kinds: Sequence[str],
    *shapes: tuple[int, ...],
    note: str = '',
) -> None:
    wanted = f'{" or ".join(kinds)} {" or ".join(str(shape) for shape in shapes)}{note}'
    if name not in there:
        found = f'only {", ".join(there)}' if there else 'none'
        raise ConfigError(file, f'{side} {name}', found, wanted)
    kind, found = there[name]
    if kind not in kinds or not any(_fits(found, shape) for shape in shapes):
        raise ConfigError(file, f'{side} {name}', f'{kind} {found}', wanted)
