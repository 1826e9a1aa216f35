# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Statistics of episodes: success rates with intervals, medians, JSON and table."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from vla_common.intervals import wilson
from vla_models.refusals import WordsOutcome
from vla_models.scenarios import IMAGE_TASKS
from vla_models.tasks import TaskKind

CONTROLS = {'expert': 'expert', 'blind': 'image ablated', 'deaf': 'language ablated'}
"""Names in the JSON to names in the table."""


@dataclass(frozen=True)
class EpisodeOutcome:
    """The result of one episode.

    error: m (reach) or rad, the worst of the last half second; infinite where another cube was
    nearer. seconds: time to lasting success, None without. path: m, of the finger tips.
    violations: commands of the filter outside of the robot's limits. interventions: filter periods
    with an objection. reported: whether the instruction was reported done; ended: s at which it
    ended, None if it did not; held: s at which success had been held for half a second, None if it
    was not.
    """

    task: str
    kind: str
    success: bool
    error: float
    seconds: float | None
    path: float
    fallen: bool
    violations: int
    interventions: int
    reported: bool = False
    ended: float | None = None
    held: float | None = None


def share(outcomes: Sequence[EpisodeOutcome]) -> dict:
    """success, n and ci95; success is None without episodes."""
    good = sum(outcome.success for outcome in outcomes)
    low, high = wilson(good, len(outcomes))
    return {
        'success': round(good / len(outcomes), 4) if outcomes else None,
        'n': len(outcomes),
        'ci95': [round(low, 4), round(high, 4)],
    }


def _median(values: list[float]) -> float | None:
    finite = [value for value in values if math.isfinite(value)]
    return round(float(np.median(finite)), 4) if finite else None


def by_kind(outcomes: Sequence[EpisodeOutcome]) -> dict[str, list[EpisodeOutcome]]:
    """In the order of `TaskKind`."""
    kinds = {kind.value: [o for o in outcomes if o.kind == kind.value] for kind in TaskKind}
    return {kind: some for kind, some in kinds.items() if some}


def details(outcomes: Sequence[EpisodeOutcome]) -> dict:
    """All statistics of the episodes of one agent."""
    image_tasks = [o for o in outcomes if TaskKind(o.kind) in IMAGE_TASKS]
    tasks = {}
    for kind, some in by_kind(outcomes).items():
        done = [o for o in some if o.success]
        tasks[kind] = {
            **share(some),
            'median_error': _median([o.error for o in some]),
            'median_seconds': _median([o.seconds for o in done if o.seconds is not None]),
            'median_path': _median([o.path for o in done]),
        }
    return {
        **share(outcomes),
        'reach_point_look': share(image_tasks),
        'tasks': tasks,
        'falls': sum(o.fallen for o in outcomes),
        'violations': sum(o.violations for o in outcomes),
        'interventions': sum(o.interventions for o in outcomes),
    }


def summarise(
    outcomes: Sequence[EpisodeOutcome], controls: dict[str, Sequence[EpisodeOutcome]]
) -> dict:
    """The JSON of `evaluate`: the documented fields, and `details` of each agent."""
    return {
        'success': share(outcomes)['success'],
        'tasks': {kind: share(some) for kind, some in by_kind(outcomes).items()},
        'falls': sum(o.fallen for o in outcomes),
        'violations': sum(o.violations for o in outcomes),
        'controls': {name: share(controls[name])['success'] for name in CONTROLS},
        'details': {
            'policy': details(outcomes),
            **{name: details(controls[name]) for name in CONTROLS},
        },
    }


# --- the policy's own answers ---------------------------------------------------------------------

PROMPT = 1.0  # s from held success to the report of it
REFUSED = ('nonsense', 'sense', 'impossible')


def done_report(outcomes: Sequence[EpisodeOutcome], others: Sequence[EpisodeOutcome]) -> dict:
    """`done` in the JSON, with numbers and intervals.

    true_reported: of the episodes of `outcomes` in which success was held, those reported done
    within PROMPT of it. false_reported: of all, and of `others` (not to be done), those reported
    done without success. latency_s: median, of those reported.
    """
    held = [o for o in outcomes if o.held is not None]
    late = [o.ended - o.held for o in held if o.reported and o.ended is not None]
    prompt = sum(delay <= PROMPT for delay in late)
    wrong = sum(o.reported and not o.success for o in outcomes)
    wrong += sum(o.reported for o in others)
    count = len(outcomes) + len(others)
    return {
        'true_reported': ratio(prompt, len(held)),
        'false_reported': ratio(wrong, count),
        'latency_s': _median(late),
        'true': {'n': len(held), 'ci95': _rounded(wilson(prompt, len(held)))},
        'false': {'n': count, 'ci95': _rounded(wilson(wrong, count))},
    }


def answers_of(
    outcomes: Sequence[EpisodeOutcome],
    suites: dict[str, Sequence[EpisodeOutcome]],
    words: WordsOutcome,
) -> dict:
    """The JSON of the policy's own answers: `done`, `refusal`, `language`. suites: by the names in
    `scenarios.SUITES`."""
    impossible = suites['impossible']
    judged = [*outcomes, *suites['relations'], *suites['two_steps']]
    refused = share(impossible)
    return {
        'done': done_report(judged, impossible),
        'refusal': {
            'nonsense_refused': ratio(words.nonsense_refused, words.nonsense),
            'sense_refused': ratio(words.sense_refused, words.sense),
            'impossible_refused': refused['success'],
            'nonsense': {
                'n': words.nonsense,
                'ci95': _rounded(wilson(words.nonsense_refused, words.nonsense)),
            },
            'sense': {'n': words.sense, 'ci95': _rounded(wilson(words.sense_refused, words.sense))},
            'impossible': {'n': refused['n'], 'ci95': refused['ci95']},
            'wrong': list(words.wrong),
        },
        'language': {name: share(suites[name]) for name in ('relations', 'two_steps')},
    }


def _rounded(interval: tuple[float, float]) -> list[float]:
    return [round(end, 4) for end in interval]


def ratio(part: int, count: int) -> float | None:
    """A share; None without cases."""
    return round(part / count, 4) if count else None


# --- table ----------------------------------------------------------------------------------------

HEAD = ('task', 'policy', '95 % interval', 'error', 'time', 'path', *CONTROLS.values())


def _percent(part: dict | None) -> str:
    if not part or part['success'] is None:
        return '–'
    return f'{100 * part["success"]:.0f} % of {part["n"]}'


def _number(value: float | None, unit: str, digits: int) -> str:
    return '–' if value is None else f'{value:.{digits}f} {unit}'


def rows_of(result: dict) -> list[tuple[str, ...]]:
    """A row for each kind of task, one for reach, point and look together, one for all."""
    policy, others = result['details']['policy'], [result['details'][name] for name in CONTROLS]

    def row(name: str, part: dict, of: list[dict | None]) -> tuple[str, ...]:
        low, high = part['ci95']
        error_unit = 'm' if name == TaskKind.REACH.value else 'rad'
        return (
            name,
            _percent(part),
            f'{100 * low:.0f}–{100 * high:.0f} %',
            _number(part.get('median_error'), error_unit, 3) if name != 'wave' else '–',
            _number(part.get('median_seconds'), 's', 1),
            _number(part.get('median_path'), 'm', 2),
            *(_percent(each) for each in of),
        )

    rows = [
        row(kind, part, [o['tasks'].get(kind) for o in others])
        for kind, part in policy['tasks'].items()
    ]
    together = 'reach_point_look'
    if policy[together]['n']:
        rows.append(row('reach, point, look', policy[together], [o[together] for o in others]))
    rows.append(row('all', policy, others))
    return rows


def last_line(result: dict) -> str:
    """Falls, violations and interventions as a sentence."""
    policy = result['details']['policy']
    return (
        f'Falls {policy["falls"]}; commands outside of limits after the filter'
        f' {policy["violations"]}; filter periods with an objection {policy["interventions"]}'
        f' (expert: {result["details"]["expert"]["interventions"]}).'
    )


def markdown_of(result: dict) -> str:
    """The table of the model card."""
    lines = ['| ' + ' | '.join(HEAD) + ' |', '|' + '---|' * len(HEAD)]
    lines += ['| ' + ' | '.join(row) + ' |' for row in rows_of(result)]
    return '\n'.join([*lines, '', last_line(result), *_answer_lines(result)])


def _answer_lines(result: dict) -> list[str]:
    """The seeds, and the policy's own answers, as tables."""
    parts = [(f'seed {seed}', part) for seed, part in result.get('by_seed', {}).items()]
    parts = parts if len(parts) > 1 else []
    parts += [(name.replace('_', ' '), part) for name, part in result.get('language', {}).items()]
    for key, names in (('done', ('true', 'false')), ('refusal', REFUSED)):
        for name in names if key in result else ():
            suffix = 'reported' if key == 'done' else 'refused'
            part = {'success': result[key][f'{name}_{suffix}'], **result[key][name]}
            parts.append((f'{name}: {suffix}', part))
    if not parts:
        return []
    rows = [
        f'| {name} | {_percent(part)} | {100 * part["ci95"][0]:.0f}–{100 * part["ci95"][1]:.0f} % |'
        for name, part in parts
    ]
    late = result.get('done', {}).get('latency_s')
    after = (
        [] if late is None else ['', f'Done is reported {late:.2f} s (median) after 0.5 s of it.']
    )
    return ['', '| what | share | 95 % interval |', '|---|---|---|', *rows, *after]
