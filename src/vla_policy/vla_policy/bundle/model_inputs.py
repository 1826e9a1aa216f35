# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The section `inputs` of policy.yaml: the input tensors of a model.

With a `history` of n frames, images, depth images and states have a second axis of length n, oldest
first; those with `frames: 1` are of the present alone.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from vla_common.errors import ConfigError
from vla_common.yaml_file import ConfigReader

LAYOUTS = ('nchw', 'nhwc')
RESIZES = ('stretch', 'crop', 'letterbox')
QUANTITIES = ('position', 'position_velocity')


@dataclass(frozen=True)
class History:
    """`frames` observations, `step` s apart, the newest last."""

    frames: int = 1
    step: float = 0.1

    @property
    def span(self) -> float:
        """s from the oldest to the newest."""
        return (self.frames - 1) * self.step


SINGLE = History()
LARGEST_MEMORY = 1 << 20


@dataclass(frozen=True)
class ImageInput:
    """float32 (1, 3, height, width) or (1, height, width, 3): (range(uint8 RGB) - mean) / std."""

    dtype = np.float32
    channels = 3
    tensor: str
    camera: str
    width: int
    height: int
    layout: str
    range: tuple[float, float]
    mean: tuple[float, ...] | float
    std: tuple[float, ...] | float
    resize: str
    frames: int = 1

    @property
    def plain(self) -> bool:
        """Whether the numbers are those of the pixels, 0 to 255."""
        normalised = self.mean != (0.0, 0.0, 0.0) or self.std != (1.0, 1.0, 1.0)
        return self.range == (0.0, 255.0) and not normalised

    @property
    def shape(self) -> tuple[int, ...]:
        c, h, w = self.channels, self.height, self.width
        return _stacked(self.frames, (c, h, w) if self.layout == 'nchw' else (h, w, c))


class DepthInput(ImageInput):
    """float32 (1, 1, height, width) or (1, height, width, 1): (depth - mean) / std, depth in m and
    clipped to `range`; the far end of it where nothing was measured. mean, std: numbers."""

    channels = 1


@dataclass(frozen=True)
class StateInput:
    """float32 (1, width): positions (rad), optionally velocities (rad/s); (x - mean) / std."""

    dtype = np.float32
    tensor: str
    joints: tuple[str, ...]
    quantity: str
    mean: np.ndarray
    std: np.ndarray
    frames: int = 1

    @property
    def shape(self) -> tuple[int, ...]:
        return _stacked(self.frames, (len(self.mean),))


@dataclass(frozen=True)
class InstructionInput:
    """int64 (1, length) token ids, 0 = padding, from a tokenizers file."""

    dtype = np.int64

    tensor: str
    tokenizer: str
    length: int

    @property
    def shape(self) -> tuple[int, ...]:
        return (1, self.length)


@dataclass(frozen=True)
class MaskInput:
    """(1, length): 1 or true for each token of the instruction, 0 or false for padding."""

    tensor: str
    length: int
    dtype: type

    @property
    def shape(self) -> tuple[int, ...]:
        return (1, self.length)


@dataclass(frozen=True)
class ConstantInput:
    """The same value for each call, as an embodiment's number or the mask of a camera."""

    tensor: str
    shape: tuple[int, ...]
    dtype: type
    value: float


@dataclass(frozen=True)
class PhaseInput:
    """float32 (1, 2): sine and cosine of 2 pi elapsed / period, elapsed since the start, s."""

    dtype = np.float32
    tensor: str
    period: float
    shape: tuple[int, ...] = (1, 2)


@dataclass(frozen=True)
class NoiseInput:
    """float32, the shape of the action: standard normal, drawn for each of `samples` calls. The
    further apart the samples, the lower the confidence."""

    dtype = np.float32
    tensor: str
    samples: int
    shape: tuple[int, ...]


@dataclass(frozen=True)
class MemoryInput:
    """float32 (1, …): what the model's output `following` gave in the call before, zeros in the
    first call of an instruction. The state of a recurrent model."""

    dtype = np.float32
    tensor: str
    following: str
    shape: tuple[int, ...]


Input = (
    ImageInput
    | StateInput
    | InstructionInput
    | MaskInput
    | PhaseInput
    | NoiseInput
    | MemoryInput
    | ConstantInput
)


@dataclass(frozen=True)
class ModelInputs:
    """All inputs; iterates over those that are there, in the order of a module's arguments."""

    images: tuple[ImageInput, ...] = ()
    depths: tuple[DepthInput, ...] = ()
    state: StateInput | None = None
    instruction: InstructionInput | None = None
    phase: PhaseInput | None = None
    noise: NoiseInput | None = None
    history: History = SINGLE
    mask: MaskInput | None = None
    constants: tuple[ConstantInput, ...] = ()
    memory: MemoryInput | None = None

    def __iter__(self) -> Iterator[Input]:
        yield from (*self.images, *self.depths)
        others = (self.state, self.instruction, self.mask, self.phase, self.noise, self.memory)
        yield from (part for part in others if part is not None)
        yield from self.constants

    @property
    def tensors(self) -> list[str]:
        """Names of the tensors."""
        return [part.tensor for part in self]

    def zeros(self) -> dict[str, np.ndarray]:
        """Tensors of the right names, types and shapes; constants have their value."""
        constants = {part.tensor: part.value for part in self.constants}
        return {
            part.tensor: np.full(part.shape, constants.get(part.tensor, 0), part.dtype)
            for part in self
        }


def read_inputs(
    f: ConfigReader, action_shape: tuple[int, ...], listed: Callable[[ConfigReader, str], str]
) -> ModelInputs:
    """listed: returns the file name under a key if it is one of the bundle's files. Raises
    ConfigError."""
    history = read_history(f.section('history')) if f.has('history') else SINGLE
    frames = history.frames
    if f.has('image') and f.has('images'):
        raise f.error('images', 'image too', 'one of the two')
    images = tuple(_image(part, frames) for part in _parts(f, 'image', 'images'))
    depths = tuple(_image(part, frames, depth=True) for part in _parts(f, 'depth', 'depths'))
    state = _state(f.section('state'), frames) if f.has('state') else None
    words, mask = None, None
    if f.has('instruction'):
        words, mask = _instruction(f.section('instruction'), listed)
    phase = _phase(f.section('phase')) if f.has('phase') else None
    noise = _noise(f.section('noise'), action_shape) if f.has('noise') else None
    memory = _memory(f.section('memory')) if f.has('memory') else None
    constants = tuple(
        _constant(tensor, section)
        for tensor, section in (f.sections('constants') if f.has('constants') else {}).items()
    )
    f.close()
    if not images and not depths and state is None:
        raise ConfigError(
            f.file, 'inputs', 'neither image nor state', 'at least one thing that is observed'
        )
    inputs = ModelInputs(
        images, depths, state, words, phase, noise, history, mask, constants, memory
    )
    for name in inputs.tensors:
        if inputs.tensors.count(name) > 1:
            raise ConfigError(f.file, 'inputs', f'tensor {name} used twice', 'one input per tensor')
    return inputs


def read_joints(f: ConfigReader) -> tuple[str, ...]:
    """The key `joints`: at least one, each once."""
    joints = tuple(f.texts('joints'))
    if not joints:
        raise f.error('joints', 'no joint', 'at least one joint')
    twice = sorted({name for name in joints if joints.count(name) > 1})
    if twice:
        raise f.error('joints', f'{", ".join(twice)} twice', 'each once')
    return joints


def read_normalisation(f: ConfigReader, width: int) -> tuple[np.ndarray, np.ndarray]:
    """The keys `mean` and `std`, read-only float32 (width,)."""
    mean = np.asarray(f.numbers('mean', length=width), np.float32)
    std = np.asarray(_positive(f, 'std', width), np.float32)
    mean.setflags(write=False)
    std.setflags(write=False)
    return mean, std


def _stacked(frames: int, shape: tuple[int, ...]) -> tuple[int, ...]:
    return (1, *shape) if frames == 1 else (1, frames, *shape)


def _parts(f: ConfigReader, one: str, many: str) -> list[ConfigReader]:
    """The section `one`, or those of `many`; the names of the latter have no meaning."""
    if f.has(one):
        return [f.section(one)]
    return list(f.sections(many).values()) if f.has(many) else []


def read_history(f: ConfigReader) -> History:
    """The section `history`. Raises ConfigError."""
    history = History(f.integer('frames', lo=2, hi=64), f.number('step', lo=0.01, hi=5.0))
    if history.span > 5.0:
        raise f.error('frames', history.frames, f'at most 5 s, not {history.span:g}')
    f.close()
    return history


def read_frames(f: ConfigReader, default: int, most: int) -> int:
    """The key `frames`, the length of the time axis: 1, or that of the history."""
    frames = f.integer('frames', default=default, lo=1)
    if frames not in (1, most):
        raise f.error('frames', frames, '1' if most == 1 else f'1 or {most}, as in history')
    return frames


def _image(f: ConfigReader, frames: int, depth: bool = False) -> ImageInput:
    kind = DepthInput if depth else ImageInput
    image = kind(
        tensor=f.text('tensor'),
        camera=f.text('camera'),
        width=f.integer('width', lo=1, hi=4096),
        height=f.integer('height', lo=1, hi=4096),
        layout=f.text('layout', default='nchw', choices=LAYOUTS),
        range=_range(f),
        mean=f.number('mean', default=0.0) if depth else tuple(f.numbers('mean', length=3)),
        std=f.number('std', default=1.0, lo=1e-6) if depth else tuple(_positive(f, 'std', 3)),
        resize=f.text('resize', default='stretch', choices=RESIZES),
        frames=read_frames(f, frames, frames),
    )
    f.close()
    return image


def _range(f: ConfigReader) -> Sequence[float]:
    low, high = f.numbers('range', length=2)
    if not low < high:
        raise f.error('range', [low, high], 'low < high')
    return low, high


def _state(f: ConfigReader, frames: int) -> StateInput:
    tensor = f.text('tensor')
    joints = read_joints(f)
    quantity = f.text('quantity', default='position', choices=QUANTITIES)
    width = len(joints) * (2 if quantity == 'position_velocity' else 1)
    mean, std = read_normalisation(f, width)
    frames = read_frames(f, frames, frames)
    f.close()
    return StateInput(tensor, joints, quantity, mean, std, frames)


def _instruction(
    f: ConfigReader, listed: Callable[[ConfigReader, str], str]
) -> tuple[InstructionInput, MaskInput | None]:
    tensor = f.text('tensor')
    tokenizer = listed(f, 'tokenizer')
    length = f.integer('length', lo=1, hi=4096)
    mask = None
    if f.has('mask'):
        kind = f.text('mask_dtype', default='int64', choices=('bool', 'int32', 'int64'))
        mask = MaskInput(f.text('mask'), length, np.dtype(kind).type)
    f.close()
    return InstructionInput(tensor, tokenizer, length), mask


def _constant(tensor: str, f: ConfigReader) -> ConstantInput:
    kind = f.text('dtype', choices=('float32', 'int32', 'int64', 'bool'))
    shape = tuple(int(n) for n in f.numbers('shape', lo=1, hi=4096))
    value = float(f.flag('value')) if kind == 'bool' else f.number('value')
    if kind.startswith('int') and value != int(value):
        raise f.error('value', value, f'a whole number, for {kind}')
    f.close()
    return ConstantInput(tensor, shape, np.dtype(kind).type, value)


def _phase(f: ConfigReader) -> PhaseInput:
    tensor = f.text('tensor')
    period = f.number('period', lo=1e-3, hi=3600.0)
    f.close()
    return PhaseInput(tensor, period)


def _noise(f: ConfigReader, shape: tuple[int, ...]) -> NoiseInput:
    noise = NoiseInput(f.text('tensor'), f.integer('samples', default=1, lo=1, hi=64), shape)
    f.close()
    return noise


def _memory(f: ConfigReader) -> MemoryInput:
    shape = tuple(int(n) for n in f.numbers('shape', lo=1, hi=4096))
    if not shape or int(np.prod(shape)) > LARGEST_MEMORY:
        raise f.error('shape', list(shape), f'one to {LARGEST_MEMORY} numbers in all')
    memory = MemoryInput(f.text('tensor'), f.text('following'), (1, *shape))
    f.close()
    return memory


def _positive(f: ConfigReader, key: str, length: int) -> Sequence[float]:
    numbers = f.numbers(key, length=length)
    if not all(number > 0.0 for number in numbers):
        raise f.error(key, min(numbers), 'every number > 0')
    return numbers
