# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""What a TensorRT engine was built on: an engine is good for its like only.

The section `engine` of policy.yaml; `ros2 run vla_deploy build-engine` writes it. It is checked
before the engine is read, because TensorRT's own refusal says no more than that it refuses.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from vla_common.errors import ConfigError
from vla_common.yaml_file import ConfigReader


@dataclass(frozen=True)
class EngineMetadata:
    """gpu: its name. compute_capability: as in 8.7. tensorrt: the version that built it. precision:
    of its matrix products. onnx_sha256: of the graph that it was built from."""

    gpu: str
    compute_capability: str
    tensorrt: str
    precision: str
    onnx_sha256: str

    def check(self, file: str, gpu: str, compute_capability: str, tensorrt: str) -> None:
        """Raise ConfigError for another kind of GPU, or another TensorRT than the builder's."""
        there = {
            'compute_capability': (self.compute_capability, compute_capability),
            'gpu': (self.gpu, gpu),
            'tensorrt': (self.tensorrt, tensorrt),
        }
        for key, (built, here) in there.items():
            if built != here:
                raise ConfigError(
                    file,
                    f'engine.{key}',
                    built,
                    f'{here}, as here: build it again on this computer '
                    '(ros2 run vla_deploy build-engine)',
                )


def read_engine(top: ConfigReader) -> EngineMetadata | None:
    """The section `engine`, if there is one. Raises ConfigError."""
    if not top.has('engine'):
        return None
    section = top.section('engine')
    capability = section.text('compute_capability')
    if not re.fullmatch(r'\d+\.\d+', capability):
        raise section.error('compute_capability', capability, 'a text such as "8.7"')
    digest = section.text('onnx_sha256').lower()
    if not re.fullmatch('[0-9a-f]{64}', digest):
        raise section.error('onnx_sha256', digest, 'a SHA-256: 64 hexadecimal digits')
    found = EngineMetadata(
        section.text('gpu'), capability, section.text('tensorrt'), section.text('precision'), digest
    )
    section.close()
    return found
