# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Process of one pipeline stage: it loads the file of this stage only, answers, is timed, and
records its failure."""

import json
import os
import signal
import time
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.pipelining import PipelineStage, ScheduleGPipe

from vla_common.errors import first_line
from vla_common.process import end_with_parent
from vla_deploy.atomic_io import write_whole


@dataclass(frozen=True)
class StagePlan:
    """Plan of all stages. folder: the stages' files, `inputs.npz` (arrays `0`, `1`, … with one
    observation per row), and the answers. device: cpu, or cuda with one GPU per stage."""

    folder: Path
    stages: int
    device: str
    micro_batches: int
    rounds: int
    threads: int
    timeout_s: float


def run_stage(rank: int, plan: StagePlan) -> None:
    """Answer every observation, then time. Writes `<rank>.json`; the last stage `answers.npy`."""
    end_with_parent()
    warnings.simplefilter('ignore')
    torch.set_num_threads(plan.threads)
    try:
        _join_group(rank, plan)
        with torch.no_grad():
            _run_stage(rank, plan)
        dist.barrier()
    except Exception as error:
        record_failure(plan.folder, rank, error)
        raise
    finally:
        if dist.is_initialized():
            dist.destroy_process_group()


def _join_group(rank: int, plan: StagePlan) -> None:
    if plan.device == 'cuda':
        torch.cuda.set_device(rank)
    else:
        # Gloo resolves the host name, which may have no address.
        os.environ.setdefault('GLOO_SOCKET_IFNAME', 'lo')
    dist.init_process_group(
        'nccl' if plan.device == 'cuda' else 'gloo',
        init_method=f'file://{plan.folder}/store',  # needs no free port
        rank=rank,
        world_size=plan.stages,
        timeout=timedelta(seconds=plan.timeout_s),
    )


def _run_stage(rank: int, plan: StagePlan) -> None:
    device = torch.device(f'cuda:{rank}' if plan.device == 'cuda' else 'cpu')
    # Without the guards of torch.export: in a stage that begins inside the text encoder of the
    # reference card they fail ('NoneType' object has no attribute 'size') on the shapes of the
    # export itself. The answers are compared with those of the reference model.
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
        """The answer (of the last stage), and begin and end of this stage, ns."""
        index = torch.arange(first, first + count, device=device) % len(rows[0])
        batch = [tensor[index] for tensor in rows] if rank == 0 else []
        dist.barrier()
        began = time.monotonic_ns()  # one clock for all processes of a machine
        answer = pipe.step(*batch)
        if device.type == 'cuda':
            torch.cuda.synchronize(device)
        ended = time.monotonic_ns()
        return answer[0] if isinstance(answer, (tuple, list)) else answer, began, ended

    answers = [run(single, i, 1)[0] for i in range(len(rows[0]))]
    if rank == plan.stages - 1:
        found = torch.cat([a for a in answers if a is not None]).float().cpu().numpy()
        np.save(plan.folder / 'answers.npy', found)
    size = plan.micro_batches
    run(many, 0, size)  # the first round allocates the buffers
    latency = [run(single, i, 1)[1:] for i in range(plan.rounds)]
    batches = [run(many, i * size, size)[1:] for i in range(max(3, plan.rounds // size))]
    report = {
        'device': str(device),
        'process': os.getpid(),
        'held_mb': held_mb(module),
        'latency_ns': latency,
        'batches_ns': batches,
    }
    (plan.folder / f'{rank}.json').write_text(json.dumps(report))


def place(module: nn.Module, device: torch.device) -> nn.Module:
    """Move `module` to `device`, in place, each weight once. torch.export gives every call of a
    layer its own module on the same memory, which `Module.to` would copy for each."""
    placed: dict[tuple, Tensor] = {}
    for owner in module.modules():
        for table in (owner._parameters, owner._buffers):
            for name, tensor in table.items():
                if tensor is not None:
                    table[name] = _once(tensor, device, placed)
    return module.to(device)


def _once(tensor: Tensor, device: torch.device, placed: dict[tuple, Tensor]) -> Tensor:
    learnt = isinstance(tensor, nn.Parameter)
    memory = tensor.untyped_storage().data_ptr(), tensor.storage_offset()
    key = (learnt, *memory, tensor.shape, tensor.stride(), tensor.dtype)
    if key not in placed:
        moved = tensor.detach().to(device)
        placed[key] = nn.Parameter(moved, requires_grad=False) if learnt else moved
    return placed[key]


def held_mb(module: nn.Module) -> float:
    """Memory of parameters and buffers, MB; shared memory counts once."""
    storages = {
        tensor.untyped_storage().data_ptr(): tensor.untyped_storage().nbytes()
        for tensor in (*module.parameters(), *module.buffers())
    }
    return sum(storages.values()) / 1e6


def record_failure(folder: Path, rank: int, error: BaseException) -> None:
    """Write `<rank>.failed`, before the connections to the other stages close."""
    while error.__cause__ is not None:  # torch's wrapper lists the shape of every tensor
        error = error.__cause__
    name, line = type(error).__name__, first_line(error)
    message = name if line == name else f'{name}: {line}'
    report = {'when_ns': time.monotonic_ns(), 'error': message}
    write_whole(folder / f'{rank}.failed', json.dumps(report))


def first_failure(folder: Path, exit_codes: Sequence[int | None]) -> tuple[int, str] | None:
    """Number and error of the stage that failed first; None if none did. exit_codes: by stage, None
    while it runs. A killed process leaves no record; the records of the others then report the lost
    connection."""
    for rank, code in enumerate(exit_codes):
        if code is not None and code < 0:
            return rank, f'killed by {_signal(-code)}'
    failures = {
        rank: json.loads(path.read_text())
        for rank in range(len(exit_codes))
        if (path := folder / f'{rank}.failed').is_file()
    }
    if failures:
        rank = min(failures, key=lambda rank: failures[rank]['when_ns'])
        return rank, failures[rank]['error']
    for rank, code in enumerate(exit_codes):
        if code:
            return rank, f'exit code {code}'
    return None


def _signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f'signal {number}'
