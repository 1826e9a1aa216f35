# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The process of one stage. It reads the file of that stage and no other."""

from __future__ import annotations

import json
import os
import time
import warnings
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import numpy as np
import torch
import torch.distributed as dist
from torch.distributed.pipelining import PipelineStage, ScheduleGPipe

from vla_common.process import end_with_parent
from vla_deploy.pipelining.errors import note
from vla_deploy.pipelining.placement import held_mb, place


@dataclass(frozen=True)
class StagePlan:
    """What every stage is told. folder: the stages' files, `inputs.npz` (arrays `0`, `1`, … with
    an observation per row), and the answers. device: cpu or cuda, then one GPU per stage."""

    folder: Path
    stages: int
    device: str
    micro_batches: int
    rounds: int
    threads: int
    timeout_s: float


def work(rank: int, plan: StagePlan) -> None:
    """Answer every observation, then be timed. Leaves `<rank>.json`, the last `answers.npy`."""
    end_with_parent()
    warnings.simplefilter('ignore')
    torch.set_num_threads(plan.threads)
    try:
        _join(rank, plan)
        with torch.no_grad():
            _work(rank, plan)
        dist.barrier()
    except Exception as error:
        note(plan.folder, rank, error)
        raise
    finally:
        if dist.is_initialized():
            dist.destroy_process_group()


def _join(rank: int, plan: StagePlan) -> None:
    if plan.device == 'cuda':
        torch.cuda.set_device(rank)
    else:
        # Gloo looks the machine's own name up, which need not have an address.
        os.environ.setdefault('GLOO_SOCKET_IFNAME', 'lo')
    dist.init_process_group(
        'nccl' if plan.device == 'cuda' else 'gloo',
        init_method=f'file://{plan.folder}/store',  # no port that another could hold
        rank=rank,
        world_size=plan.stages,
        timeout=timedelta(seconds=plan.timeout_s),
    )


def _work(rank: int, plan: StagePlan) -> None:
    device = torch.device(f'cuda:{rank}' if plan.device == 'cuda' else 'cpu')
    # Without the guards that torch.export generates: in a stage of the reference card that begins
    # inside of its text encoder they fail ('NoneType' object has no attribute 'size') on the very
    # shapes it was exported with. The answers are compared with the original's anyway.
    program = torch.export.load(plan.folder / f'{rank}.pt2')
    module = place(program.module(check_guards=False), device)
    took = tuple(tensor.to(device) for tensor in program.example_inputs[0])
    gave = module(*took)
    gave = tuple(gave) if isinstance(gave, (tuple, list)) else (gave,)
    with np.load(plan.folder / 'inputs.npz', allow_pickle=False) as given:
        rows = [torch.from_numpy(given[name]).to(device) for name in given.files]

    def schedule(count: int) -> ScheduleGPipe:
        stage = PipelineStage(module, rank, plan.stages, device, took, gave)
        return ScheduleGPipe(stage, count)

    single, many = schedule(1), schedule(plan.micro_batches)

    def run(pipe: ScheduleGPipe, first: int, count: int) -> tuple[torch.Tensor | None, int, int]:
        """The answer (of the last stage), and when this stage began and ended, ns."""
        index = torch.arange(first, first + count, device=device) % len(rows[0])
        batch = [tensor[index] for tensor in rows] if rank == 0 else []
        dist.barrier()
        began = time.monotonic_ns()  # one clock for all processes of a machine
        answer = pipe.step(*batch)
        if device.type == 'cuda':
            torch.cuda.synchronize(device)
        ended = time.monotonic_ns()
        answer = answer[0] if isinstance(answer, (tuple, list)) else answer
        return answer, began, ended

    answers = [run(single, i, 1)[0] for i in range(len(rows[0]))]
    if rank == plan.stages - 1:
        found = torch.cat([a for a in answers if a is not None]).float().cpu().numpy()
        np.save(plan.folder / 'answers.npy', found)
    size = plan.micro_batches
    run(many, 0, size)  # its first round makes the buffers
    latency = [run(single, i, 1)[1:] for i in range(plan.rounds)]
    batches = [run(many, i * size, size)[1:] for i in range(max(3, plan.rounds // size))]
    told = {
        'device': str(device),
        'process': os.getpid(),
        'held_mb': held_mb(module),
        'latency_ns': latency,
        'batches_ns': batches,
    }
    (plan.folder / f'{rank}.json').write_text(json.dumps(told))
