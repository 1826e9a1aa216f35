# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Converter script, run by its own interpreter: from a torch.export program to a .tflite file.

    python converter.py JOB.json

It imports nothing of the workspace: torch, numpy, litert-torch, ai-edge-quantizer, ai-edge-litert
(environment/edge_converter.in). The last line on stdout is JSON: `operators` (name to count) or
`error`.
"""

import collections
import json
import sys


def convert(job: dict) -> dict:
    """job: program (.pt2), sample (.npz), calibration (.npz files), mode, out."""
    import litert_torch
    import numpy as np
    import torch

    program = torch.export.load(job['program'])
    sample = dict(np.load(job['sample'], allow_pickle=False))
    tensors = {name: torch.from_numpy(value) for name, value in sample.items()}
    model = litert_torch.convert(program.module(), sample_kwargs=tensors)
    model.export(job['out'])
    if job['mode'] != 'float':
        _quantise(job)
    return {'operators': _operators(job['out'])}


def _quantise(job: dict) -> None:
    import numpy as np
    from ai_edge_quantizer import qtyping, quantizer, recipe

    ranges = None
    if job['mode'] == 'dynamic':
        # Fully connected layers only: such convolutions gave NaN on a tiny ACT policy
        # and were refused by LiteRT on a tiny diffusion policy (ai-edge-litert 2.3.0).
        quantiser = quantizer.Quantizer(job['out'])
        layer = qtyping.TFLOperationName.FULLY_CONNECTED
        quantiser.add_dynamic_config(regex='.*', operation_name=layer, num_bits=8)
    else:
        quantiser = quantizer.Quantizer(job['out'], recipe.static_wi8_ai8())
        samples = [dict(np.load(path, allow_pickle=False)) for path in job['calibration']]
        # LiteRT has the token ids in 32 bits.
        given = [
            {k: v.astype(np.int32) if v.dtype == np.int64 else v for k, v in one.items()}
            for one in samples
        ]
        ranges = quantiser.calibrate({'serving_default': given}, num_threads=1)
    quantiser.quantize(ranges).export_model(job['out'], overwrite=True)


def _operators(path: str) -> dict:
    # Without its default delegates: XNNPACK would hide what it takes over.
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    plain = OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    interpreter = Interpreter(path, experimental_op_resolver_type=plain)
    interpreter.allocate_tensors()
    names = [node['op_name'] for node in interpreter._get_ops_details()]
    return dict(collections.Counter(names))


def main() -> int:
    try:
        with open(sys.argv[1], encoding='utf-8') as file:
            found = convert(json.load(file))
    except ImportError as error:
        found = {'error': f'no module {error.name}', 'missing': error.name}
    except Exception as error:  # whatever a compiler can raise
        found = {'error': f'{type(error).__name__}: {error}'}
    print(json.dumps(found))
    return 1 if 'error' in found else 0


if __name__ == '__main__':
    sys.exit(main())
