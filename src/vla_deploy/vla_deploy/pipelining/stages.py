# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Stages of a network, split by torch.distributed.pipelining; each is written to its own file."""

import copy
import operator
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
from torch import fx
from torch.fx.node import map_arg

from vla_common.errors import ConfigError, first_line
from vla_deploy.atomic_io import through_memory
from vla_deploy.pipelining.worker import held_mb
from vla_deploy.reference_model import ReferenceModel
from vla_deploy.silence import silence


@dataclass(frozen=True)
class PipelineStageFile:
    """A stage. begins: its first block. mb: of its weights."""

    begins: str
    parameters: int
    mb: float


def split(
    reference: ReferenceModel, begins: Sequence[str], folder: Path
) -> list[PipelineStageFile]:
    """Split before each block of `begins` except the first, and write `<i>.pt2`, an exported
    program for a batch of one, for each stage. The outputs of stage i - 1 are the inputs of stage
    i; the first takes the inputs of the network, the last gives its outputs. Raises ConfigError
    for a network that torch.export cannot follow."""
    from torch.distributed.pipelining import SplitPoint, pipeline

    sample = reference.sample(1)
    points = {name: SplitPoint.BEGINNING for name in begins[1:]}
    # A copy: the cuts are marked in its modules.
    module = copy.deepcopy(reference.module).eval()
    try:
        with silence(), torch.no_grad():
            pipe = pipeline(module, mb_args=sample, split_spec=points)
            stages = chain_stages(pipe.split_gm)
            values = sample
            programs = []
            for stage in stages:
                programs.append(torch.export.export(stage, values))
                values = stage(*values)
    except Exception as error:  # torch.export raises many types
        wanted = 'a network that torch.export can follow, to be split'
        raise ConfigError(reference.factory, '--stages', first_line(error), wanted) from error
    for i, program in enumerate(programs):
        through_memory(folder / f'{i}.pt2', partial(torch.export.save, program))
    parts = [pipe.get_stage_module(i) for i in range(len(begins))]
    return [
        PipelineStageFile(name, sum(p.numel() for p in part.parameters()), held_mb(part))
        for name, part in zip(begins, parts, strict=True)
    ]


def chain_stages(whole: fx.GraphModule) -> list[fx.GraphModule]:
    """Stages of the graph `whole`, where a stage may use the outputs of any earlier one, as a
    chain: each sends to the next one only, and forwards what later ones need. All values are
    contiguous tensors, which messages have to be (an expanded mask is not)."""
    rows = list(whole.graph.nodes)
    stage_of: dict[fx.Node, int] = {}
    count = 0
    for node in rows:
        if node.op == 'call_module':
            stage_of[node], count = count, count + 1
        elif node.target is operator.getitem:  # one of several outputs of a stage
            stage_of[node] = stage_of[node.args[0]]
        elif node.op == 'placeholder':
            stage_of[node] = -1
        elif node.op != 'output':
            raise NotImplementedError(f'{node.op} {node.target} between two stages')
    tuples = {node.args[0] for node in rows if node.target is operator.getitem}
    last_use = {node: _last_use(node, stage_of, count) for node in stage_of}
    given = [node for node in rows if node.op == 'placeholder']
    stages = []
    for number in range(count):
        graph = fx.Graph()
        copies = {node: graph.placeholder(node.name) for node in given}
        for node in (n for n in rows if stage_of.get(n) == number):
            copies[node] = graph.node_copy(node, lambda n, copies=copies: copies[n])
        if number == count - 1:
            result = map_arg(rows[-1].args[0], lambda n, copies=copies: copies[n])
        else:
            given = [n for n in copies if n not in tuples and last_use[n] > number]
            result = tuple(graph.call_method('contiguous', (copies[n],)) for n in given)
        graph.output(result)
        stages.append(fx.GraphModule(whole, graph))
    return stages


def _last_use(node: fx.Node, stage_of: dict[fx.Node, int], count: int) -> int:
    """The last stage that uses the value; the last stage makes the network's output."""
    return max((stage_of.get(user, count - 1) for user in node.users), default=-1)
