# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Worker processes that run cases, and are killed when a case hangs."""

import json
import os
import re
import selectors
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Self

from vla_validation.fuzz.outcome import CaseResult, Outcome
from vla_validation.report import NotMeasuredError

PREPARATION = 180.0
"""s that a worker has until its first case: imports, and loading the shipped robot."""

_LAST_WORDS = re.compile(r'Fatal|[\w.]*(Error|Exception)\b')
"""How a line begins that says why a process ended."""


@dataclass(frozen=True)
class Case:
    """What a case is made from."""

    subject: str
    seed: int


class Worker:
    """One process. targets: 'module:class' by the subject's name."""

    def __init__(self, targets: Mapping[str, str]) -> None:
        subjects = [f'{name}={target}' for name, target in targets.items()]
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - closed by `close`
        # A killed process leaves its broken copies behind.
        self._folder = tempfile.TemporaryDirectory(prefix='vla_fuzz_')  # removed by `close`
        self._process = subprocess.Popen(
            [sys.executable, '-m', 'vla_validation.fuzz.worker', *subjects],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            cwd=self._folder.name,  # where MuJoCo writes its log of unstable simulations
            env={**os.environ, 'TMPDIR': self._folder.name},
        )
        assert self._process.stdin is not None and self._process.stdout is not None
        self._requests, self.answers = self._process.stdin, self._process.stdout
        self.case: Case | None = None
        self.is_ready = False
        self.since = time.monotonic()

    def begin(self, case: Case) -> None:
        """Request a case of a worker that is ready and idle."""
        self.case, self.since = case, time.monotonic()
        try:
            self._requests.write(f'{case.subject} {case.seed}\n'.encode())
            self._requests.flush()
        except BrokenPipeError:
            pass  # it is seen at its answer

    def read(self) -> CaseResult | None:
        """An answer that is there; None where the worker has become ready.

        Raises EOFError: the process ended instead.
        """
        line = self.answers.readline()
        if not line.endswith(b'\n'):
            raise EOFError(self._last_words())
        answer = json.loads(line)
        if not self.is_ready:
            self.is_ready = True
            return None
        self.case = None
        return CaseResult(Outcome(answer['outcome']), answer['changed'], answer['detail'])

    def _last_words(self) -> str:
        """How the process ended, in one line."""
        code = self._process.wait()
        self._errors.seek(0)
        lines = self._errors.read().decode(errors='replace').strip().splitlines()
        fatal = [line for line in lines if _LAST_WORDS.match(line)] or lines
        return f'the process ended with {code}: {fatal[-1] if fatal else "without a word"}'

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
        for stream in (self._requests, self.answers, self._errors):
            try:
                stream.close()
            except BrokenPipeError:
                pass
        self._folder.cleanup()


class Workers:
    """Runs cases in `jobs` processes.

    Args:
        targets: 'module:class' by the subject's name.
        jobs: processes.
        longest: s of a case; a longer one hangs.
    """

    def __init__(self, targets: Mapping[str, str], jobs: int, longest: float) -> None:
        self._targets, self._longest = targets, longest
        self._workers = [Worker(targets) for _ in range(jobs)]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for worker in self._workers:
            worker.close()

    def run(self, cases: Iterable[Case]) -> Iterator[tuple[Case, CaseResult]]:
        """Yield the result of each case, in the order in which they end.

        Raises NotMeasuredError: a worker cannot be prepared.
        """
        waiting = deque(cases)
        while waiting or any(worker.case for worker in self._workers):
            for worker in self._workers:
                if waiting and worker.is_ready and worker.case is None:
                    worker.begin(waiting.popleft())
            yield from self._answers()

    def _answers(self) -> Iterator[tuple[Case, CaseResult]]:
        """Wait for the next answer, death or deadline."""
        with selectors.DefaultSelector() as selector:
            for worker in self._workers:
                if worker.case or not worker.is_ready:
                    selector.register(worker.answers, selectors.EVENT_READ)
            answered = {key.fileobj for key, _ in selector.select(timeout=0.5)}
        for i, worker in enumerate(self._workers):
            case, result = worker.case, None
            if worker.answers in answered:
                try:
                    result = worker.read()
                except EOFError as ended:
                    if case is None:
                        raise NotMeasuredError(f'a worker was not prepared: {ended}') from None
                    result = CaseResult(Outcome.TRACEBACK, '', str(ended))
                    self._replace(i)
            elif case and time.monotonic() - worker.since > self._longest:
                result = CaseResult(Outcome.HANG, '', f'no end after {self._longest:g} s')
                self._replace(i)
            elif not worker.is_ready and time.monotonic() - worker.since > PREPARATION:
                raise NotMeasuredError(f'a worker was not ready after {PREPARATION:g} s')
            if case and result:
                yield case, result

    def _replace(self, i: int) -> None:
        self._workers[i].close()
        self._workers[i] = Worker(self._targets)
