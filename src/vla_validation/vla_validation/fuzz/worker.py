# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Process that runs cases: `python -m vla_validation.fuzz.worker NAME=MODULE:CLASS ...`.

It reads lines `NAME SEED` and answers each with one line of JSON. It may be killed at any time, and
a library may end it: so cases never run in the command's own process.
"""

import faulthandler
import json
import logging
import os
import sys
import warnings

from vla_common.registry import load_object
from vla_validation.fuzz.outcome import CaseResult, Outcome, where

READY = {'ready': True}


def main(subjects: list[str]) -> int:
    # Answers go to a copy: what a library prints must not get between them.
    answers = os.fdopen(os.dup(1), 'w')
    os.dup2(2, 1)
    faulthandler.enable()
    warnings.simplefilter('ignore')
    logging.disable(logging.CRITICAL)

    def answer(content: dict) -> None:
        print(json.dumps(content), file=answers, flush=True)

    prepared = {}
    for given in subjects:
        name, _, target = given.partition('=')
        prepared[name] = load_object(target, 'fuzz', name)()
    answer(READY)
    for line in sys.stdin:
        name, seed = line.split()
        try:
            result = prepared[name].run(int(seed))
        except Exception as error:  # outside of what a subject assesses
            result = CaseResult(Outcome.TRACEBACK, '', where(error))
        answer({'outcome': result.outcome.value, 'changed': result.changed,
                'detail': result.detail})  # fmt: skip
    return 0


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
