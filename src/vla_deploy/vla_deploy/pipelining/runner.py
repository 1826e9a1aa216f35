# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Pipeline runner: a network in stages, timed beside the same network in one piece."""

import json
import math
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from multiprocessing.connection import wait
from pathlib import Path

import numpy as np
import torch
import torch.multiprocessing as mp

from vla_common.errors import ConfigError
from vla_deploy.observations import Tensors
from vla_deploy.parity import EXACT, Parity, compare
from vla_deploy.pipelining.partition import (
    blocks_of,
    check_budget,
    check_machine,
    fewest_stages,
    plan_stages,
)
from vla_deploy.pipelining.stages import PipelineStageFile, split
from vla_deploy.pipelining.worker import StagePlan, first_failure, held_mb, run_stage
from vla_deploy.reference_model import ReferenceModel
from vla_deploy.runners import EagerRunner
from vla_deploy.timing.interleaved import time_interleaved
from vla_deploy.verification import ExpectedAnswers
from vla_policy.bundle.model_spec import ActionOutput

GRACE_S = 1.0
TIMEOUT_S = 300.0  # for the start of a stage and for each message
STEPS = 4  # logged by run_in_stages


@dataclass(frozen=True)
class PipelineTimes:
    """Latency of one sample, ms, and throughput, samples per second."""

    p50_ms: float
    p99_ms: float
    throughput_hz: float


@dataclass(frozen=True)
class PipelineResult:
    """held_mb, devices, processes: by stage, as reported by its process. split, whole: times.
    micro_batches: samples in flight together for the throughput of `split`."""

    stages: tuple[PipelineStageFile, ...]
    held_mb: tuple[float, ...]
    devices: tuple[str, ...]
    processes: tuple[int, ...]
    whole_mb: float
    split: PipelineTimes
    whole: PipelineTimes
    micro_batches: int
    parity: Parity

    @property
    def reason(self) -> str:
        """Why these are not the answers of the reference model; empty if they are."""
        return self.parity.reason(EXACT)

    def to_dict(self) -> dict:
        rows = zip(self.stages, self.held_mb, self.devices, strict=True)
        stages = [{**asdict(s), 'held_mb': round(h, 3), 'device': d} for s, h, d in rows]
        return {
            'stages': stages,
            'processes': list(self.processes),
            'whole_mb': round(self.whole_mb, 3),
            'micro_batches': self.micro_batches,
            'split': asdict(self.split),
            'whole': asdict(self.whole),
            'max_error_rad': self.parity.max_error_rad,
            'cosine': self.parity.cosine,
            'passed': not self.reason,
        }


def run_in_stages(
    reference: ReferenceModel,
    expected: ExpectedAnswers,
    action: ActionOutput,
    stages: int | None = None,
    *,
    budget_mb: float | None = None,
    micro_batches: int = 8,
    rounds: int = 100,
    threads: int = 1,
    device: str = 'cpu',
    log: Callable[[str], None] = lambda _: None,
) -> PipelineResult:
    """Split, start a process for each stage, compare with `expected`, and time; the unsplit
    network is timed before and after. stages: None for the fewest within the budget. log: called
    as each of STEPS begins. device: cpu, or cuda with a GPU each. Raises ConfigError."""
    blocks, inputs = blocks_of(reference), expected.inputs
    if stages is None:
        stages = fewest_stages(blocks, math.inf if budget_mb is None else budget_mb)
    check_machine(stages, device)
    torch.set_num_threads(threads)
    with tempfile.TemporaryDirectory(prefix='stages.') as name:
        folder = Path(name)
        log('splitting')
        made = split(reference, plan_stages(blocks, stages), folder)
        if budget_mb is not None:
            # Weights that two stages use are in both.
            check_budget(blocks, [stage.mb for stage in made], budget_mb)
        rows = {
            str(i): np.concatenate([tensors[key] for tensors in inputs])
            for i, key in enumerate(reference.inputs)
        }
        np.savez(folder / 'inputs.npz', **rows)
        runner = EagerRunner(reference, device)
        log('in one piece')
        before = _time_whole(runner, inputs, (rounds + 1) // 2)
        log('in stages')
        reports = _launch(
            StagePlan(folder, stages, device, micro_batches, rounds, threads, TIMEOUT_S)
        )
        log('in one piece')
        after = _time_whole(runner, inputs, (rounds + 1) // 2)
        answers = np.load(folder / 'answers.npy', allow_pickle=False)
    whole = np.concatenate([before, after])
    latency = _between(reports[0]['latency_ns'], reports[-1]['latency_ns'])
    batches = _between(reports[0]['batches_ns'], reports[-1]['batches_ns'])
    return PipelineResult(
        tuple(made),
        tuple(each['held_mb'] for each in reports),
        tuple(each['device'] for each in reports),
        tuple(each['process'] for each in reports),
        held_mb(reference.module),
        _figures(latency, 1e3 * micro_batches / float(np.median(batches))),
        _figures(whole, 1e3 / float(np.median(whole))),
        micro_batches,
        compare(expected.outputs, answers, action),
    )


def _figures(times_ms: np.ndarray, throughput: float) -> PipelineTimes:
    p50, p99 = np.percentile(times_ms, [50, 99])
    return PipelineTimes(round(float(p50), 3), round(float(p99), 3), round(throughput, 2))


def _between(first: list, last: list) -> np.ndarray:
    """From the begin of the first stage to the end of the last one, ms."""
    return np.array([(b[1] - a[0]) / 1e6 for a, b in zip(first, last, strict=True)])


def _time_whole(runner: EagerRunner, inputs: Sequence[Tensors], rounds: int) -> np.ndarray:
    return time_interleaved({'whole': runner}, inputs, rounds, warm_up=1)['whole'].wall_ms


def _launch(plan: StagePlan) -> list[dict]:
    """Run one process per stage, by torch.multiprocessing; all are ended in any case."""
    # The fork server imports torch once; a fork of this process would inherit its threads.
    mp.get_context('forkserver').set_forkserver_preload([run_stage.__module__])
    context = mp.start_processes(
        run_stage, (plan,), plan.stages, join=False, daemon=True, start_method='forkserver'
    )
    try:
        failed = _await(context.processes, plan.folder)
    finally:
        for process in context.processes:
            process.kill()
            process.join()
    if failed is not None:
        rank, message = failed
        raise ConfigError('--stages', f'stage {rank}', message, 'stages that run')
    return [json.loads((plan.folder / f'{i}.json').read_text()) for i in range(plan.stages)]


def _await(processes: Sequence, folder: Path) -> tuple[int, str] | None:
    """Wait until all ended or one failed. Returns the stage that failed first, and its error."""
    waiting = {process.sentinel: process for process in processes}
    while waiting:
        ended = [waiting.pop(sentinel) for sentinel in wait(list(waiting))]
        for process in ended:
            process.join()
        if any(process.exitcode for process in ended):
            # A killed process may be reaped after those that lost the connection to it.
            wait(list(waiting), GRACE_S)
            break
    return first_failure(folder, [process.exitcode for process in processes])
