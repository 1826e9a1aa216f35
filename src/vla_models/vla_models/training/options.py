# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Options of a training run."""

from dataclasses import asdict, dataclass, field

PARTS = (
    *('vision', 'text', 'looking', 'landmarks', 'locator', 'fusion', 'head'),
    *('words', 'finder', 'pointer', 'possible', 'done'),  # of AnsweringVLA
)
PRECISIONS = ('no', 'bf16', 'fp16')


@dataclass(frozen=True)
class TrainingOptions:
    """Defaults are those of the shipped bundle, except `minutes`.

    Weights of the losses are per radian (chunk), per metre (target) and per half image (place).
    """

    epochs: int = 20
    minutes: float = 0.0  # time limit, 0: none. The learning rate follows it
    batch: int = 32  # frames over all processes; each carries the labels of its dataset
    imagined: int = 256  # samples of posture and true target, without an image, added to a batch
    places: int = 20_000  # that inverse kinematics labels as possible or not, for AnsweringVLA
    learning_rate: float = 1.5e-3
    weight_decay: float = 0.01
    warmup: int = 200  # steps
    averaging: float = 0.998  # of the weights, per step
    validation: float = 0.05  # share of the episodes
    validate_every: int = 500  # steps, at most; an epoch that is shorter
    patience: int = 8  # validations without improvement
    seed: int = 0
    threads: int = 2  # of PyTorch, on the CPU
    precision: str = 'no'  # or bf16, fp16: mixed, where there is a GPU
    recompute: bool = False  # activations of transformer layers: less memory, more time
    state: str = 'upper_body'  # the group of joints that the policy reads, or all
    heat_weight: float = 0.05
    place_weight: float = 0.5
    target_weight: float = 1.5
    seen_weight: float = 0.05
    target_noise: float = 0.007  # m, on imagined targets
    state_noise: float = 0.01  # rad
    phrases: int = 3  # of each instruction, in a batch
    typos: float = 0.1
    init: str = ''  # run, bundle or safetensors file with the weights to begin from
    freeze: tuple[str, ...] = ()  # parts of the network (PARTS) that are not trained
    network: dict = field(default_factory=dict)  # of HumanoidVLAConfig, over `small()`

    def __post_init__(self) -> None:
        object.__setattr__(self, 'freeze', tuple(self.freeze))
        for part in self.freeze:
            if part not in PARTS:
                raise ValueError(f'freeze: found {part!r}, wanted some of {PARTS}')
        if self.precision not in PRECISIONS:
            raise ValueError(f'precision: found {self.precision!r}, wanted one of {PRECISIONS}')

    def to_dict(self) -> dict:
        """As plain values, for JSON."""
        return {**asdict(self), 'freeze': list(self.freeze)}
