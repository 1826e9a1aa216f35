# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The dashboard's page in a real Chromium: what it does with presses, and how it looks.

    pip install playwright && sudo apt install chromium
    python src/vla_monitor/test/browser_check.py --out /tmp/pictures

Not one of the default tests: it needs a browser. The server is the real one, with the supervisor's
own endpoints; the robot is made up. Prints one line per check, and exits with 1 if one failed.
"""

from __future__ import annotations

import argparse
import math
import threading
import time
from pathlib import Path

import numpy as np
from fake_robot import FakeRobot
from playwright.sync_api import Page, sync_playwright

from vla_common.testing import wait_until
from vla_monitor.dashboard.access import Access
from vla_monitor.dashboard.feed import Feed
from vla_monitor.dashboard.requests import Situation
from vla_monitor.dashboard.server import WebApplication
from vla_monitor.dashboard.skeleton import Skeleton
from vla_monitor.dashboard.status import dump
from vla_monitor.dashboard.web import WebServer, listen
from vla_robot import load_robot

TOKEN = 'the-token-of-a-check'
DESKTOP, PHONE = {'width': 1440, 'height': 900}, {'width': 390, 'height': 844}
MARKUP = '<img src=x onerror="window.hacked = 1"><b>wave</b>'
REPORTS = ('supervisor', 'inference', 'filter', 'driver', 'balance')
FLAGS = ['--no-sandbox', '--disable-gpu']
SET_FOR_TESTS = [
    '--disable-background-timer-throttling',
    '--disable-backgrounding-occluded-windows',
    '--disable-renderer-backgrounding',
]
"""Of Playwright: with them a hidden page would run as a shown one."""


class Stage:
    """A server with a robot that is made up."""

    def __init__(self) -> None:
        self.robot, self.feed = FakeRobot(), Feed()
        self.robot.now = Situation('READY', 7, ())
        self.skeleton = Skeleton(load_robot('humanoid32'))
        self.model = load_robot('humanoid32')
        self.application = WebApplication(Access(TOKEN), self.feed, self.robot)
        self.feed.put('robot', dump({'robot': self.skeleton.description()}))
        self.listening = listen('127.0.0.1', 0, 'check')
        self.port = self.listening.getsockname()[1]
        self.server = WebServer(self.application.asgi, self.listening.dup())
        self.alive = True
        threading.Thread(target=self._show, daemon=True).start()

    def restart(self) -> None:
        """Another process in the place of this one: it knows no session."""
        self.server.close()
        self.application = WebApplication(Access(TOKEN), self.feed, self.robot)
        self.server = WebServer(self.application.asgi, self.listening.dup())

    def _show(self) -> None:
        begin = time.monotonic()
        while self.alive:
            self.feed.put('state', dump({'state': self._state(time.monotonic() - begin)}))
            time.sleep(0.05)

    def _state(self, t: float) -> dict:
        now, robot = self.robot.now, self.model
        q = robot.poses['ready'] + 0.1 * math.sin(t)
        command = self.skeleton.joints(robot.joint_names, q + 0.05)
        position = self.skeleton.joints(robot.joint_names, q)
        com = [0.01, 0.0, 0.87]
        causes = [
            {'name': name.partition(' ')[0], 'source': MARKUP, 'detail': 'requested', 'seen': name,
             'clears': 'reset', 'present': False, 'level': 'EMERGENCY', 'ago': 1.0}
            for name in now.causes
        ]  # fmt: skip
        moving = now.mode in ('READY', 'RUNNING')
        return {
            'ages': dict.fromkeys(REPORTS, 0.0),
            'pending': [],
            'supervisor': {
                'mode': now.mode, 'behaviour': 'HOLD' if moving else 'DAMP', 'armed': moving,
                'motion_epoch': now.epoch, 'speed_scale': 1.0, 'causes': causes,
                'nodes_active': ['camera'], 'nodes_missing': [],
                'level': 'SAFE' if moving else 'EMERGENCY',
            },
            'inference': {
                'state': 'ACTIVE', 'reason': '', 'policy': 'humanoid_vla 0.3', 'phase': 'running',
                'instruction': MARKUP, 'last_result': '', 'elapsed': round(t, 1),
                'confidence': 0.8, 'understood': 0.97, 'possible': 0.9, 'done': 0.2,
                'held_by': [], 'observation_age_ms': 45 + 8 * math.sin(3 * t),
                'inference_ms': 21.0, 'cycle_ms': 60.0,
            },
            'filter': {
                'state': 'TRACKING', 'level': 'SAFE', 'reason': '', 'tick_ms': 1.1,
                'chunk_age_ms': 60.0, 'speed_scale': 1.0, 'interventions': 3, 'limited_by': '',
                'motion_ended': '', 'violations': [],
            },
            'driver': {
                'behaviour': 'TRACK', 'reason': 'mode RUNNING', 'at_rest': False,
                'standing': True, 'fault': '', 'sensors': '', 'loop_ms': 1.4,
            },
            'balance': {
                'level': 'SAFE', 'cause': '', 'margin': 0.06 + 0.01 * math.sin(t), 'tilt': 0.02,
                'com': com, 'capture_point': [0.01, 0.02 * math.sin(t)],
                'polygon': [[-0.09, -0.15], [0.13, -0.15], [0.13, 0.15], [-0.09, 0.15]],
            },
            'position': position,
            'command': command,
            'points': self.skeleton.points(np.array([1.0, 0, 0, 0]), np.array(com)),
            'cameras': [],
            'operator': self.application.operators.lease.name,
            'viewers': self.feed.viewers,
        }  # fmt: skip


def button_is_the_e_stop(page: Page) -> bool:
    """What is under a finger in the middle of the button, and where it goes."""
    return page.evaluate("""() => {
      const button = document.getElementById('estop-button'), box = button.getBoundingClientRect();
      const inside = box.left >= 0 && box.right <= innerWidth
        && box.top >= 0 && box.bottom <= innerHeight;
      return inside && box.height >= 80 && box.width >= 200 && !button.disabled
        && button.textContent.startsWith('E-STOP') && button.form.action.endsWith('/estop')
        && [0.1, 0.5, 0.9].every((x) => [0.1, 0.5, 0.9].every((y) => button.contains(
          document.elementFromPoint(box.left + box.width * x, box.top + box.height * y))));
    }""")


def log_in(page: Page, stage: Stage) -> None:
    page.goto(f'http://127.0.0.1:{stage.port}/')
    page.wait_for_selector('#login:not([hidden]), #lease:not([hidden])')
    if page.locator('#login').is_visible():
        page.fill('#token', TOKEN)
        page.click('#login button')
    page.wait_for_selector('#lease:not([hidden])')


class Checks:
    """Runs each check and prints its result."""

    def __init__(self, out: Path) -> None:
        self.failed = 0
        self.out = out

    def __call__(self, name: str, holds: bool) -> None:
        print(f'{"ok  " if holds else "FAIL"} {name}', flush=True)
        self.failed += not holds

    def soon(self, name: str, condition, seconds: float = 10.0) -> None:
        """It holds within so many s."""
        try:
            wait_until(condition, seconds)
            self(name, True)
        except AssertionError:
            self(name, False)


def check_all(check: Checks, page: Page, stage: Stage, hidden_for: float) -> None:
    robot = stage.robot
    errors: list[str] = []
    page.on('pageerror', lambda error: errors.append(str(error)))
    page.on('console', lambda m: errors.append(m.text) if 'Content Security' in m.text else None)
    log_in(page, stage)
    page.fill('#name', 'Ann')
    page.click('#take')
    check.soon('the page that took the lease is a live endpoint', lambda: alive(robot))
    page.wait_for_selector('#endpoint.ok')
    page.wait_for_timeout(3000)
    for name, size in (('desktop', DESKTOP), ('phone', PHONE)):
        page.set_viewport_size(size)
        page.wait_for_timeout(500)
        check(f'{name}: the e-stop is whole and uncovered', button_is_the_e_stop(page))
        wide = page.evaluate('document.documentElement.scrollWidth <= innerWidth')
        check(f'{name}: nothing is wider than the screen', wide)
        page.screenshot(path=str(check.out / f'dashboard_{name}.png'))
        page.evaluate('scrollTo(0, document.body.scrollHeight)')
        page.wait_for_timeout(300)
        check(f'{name}, scrolled: the same', button_is_the_e_stop(page))
        page.screenshot(path=str(check.out / f'dashboard_{name}_end.png'))
        page.evaluate('scrollTo(0, 0)')
    page.set_viewport_size(DESKTOP)
    check('markup of an instruction is shown as text', MARKUP in page.inner_text('#task'))
    check('and does nothing', page.evaluate('window.hacked === undefined'))

    page.fill('#instruction', MARKUP)
    page.click('#run button:not([type])')
    check.soon(
        'an instruction reaches the robot as typed', lambda: ('run', MARKUP, 0.0) in robot.calls
    )

    begin = time.monotonic()
    page.mouse.move(*middle(page))
    page.mouse.down()
    check.soon('a press is a stop before the button is released', lambda: 'estop' in robot.calls)
    print(f'     press to request: {1e3 * (time.monotonic() - begin):.0f} ms', flush=True)
    page.mouse.up()
    check.soon('and a press of the endpoint', lambda: 'estop_endpoint:dashboard' in robot.seen)
    check.soon('the page reports that it was granted',
               lambda: 'granted' in page.inner_text('#estop-result'))  # fmt: skip
    check.soon('which is over after it was reported', lambda: not pressed(robot))

    robot.now = Situation('ESTOP', 8, ('estop_request (operator)',))
    check.soon('the page shows ESTOP', lambda: 'E-STOP' in page.inner_text('#mode'))
    check('in ESTOP it is the same button', button_is_the_e_stop(page))
    page.screenshot(path=str(check.out / 'dashboard_estop.png'))
    page.reload()
    page.wait_for_selector('#endpoint.ok')
    check('reloaded in ESTOP it is the same button', button_is_the_e_stop(page))
    check.soon('the reloaded page holds the lease and is the endpoint', lambda: alive(robot))
    page.click('[data-step=reset]')
    check.soon('a reset names what was seen', lambda: 'reset' in robot.calls)
    robot.now = Situation('READY', 8, ())

    robot.calls.clear()
    page.keyboard.press('Escape')
    check.soon('the key stops too', lambda: 'estop' in robot.calls)
    robot.calls.clear()
    page.focus('#estop-button')
    page.keyboard.press('Enter')
    check.soon('and the keyboard on the button', lambda: 'estop' in robot.calls)

    robot.seen.clear()
    page.evaluate('setTimeout(() => { const t = Date.now(); while (Date.now() - t < 4000); }, 10)')
    check.soon(
        'a blocked page falls silent as an endpoint',
        lambda: 'endpoint_lost:dashboard' in robot.seen,
    )
    page.wait_for_timeout(4500)
    check.soon('and is back when it answers again', lambda: alive(robot))

    browser = page.context.new_cdp_session(page)
    window = browser.send('Browser.getWindowForTarget')['windowId']

    def put(state: str) -> None:
        bounds = {'windowId': window, 'bounds': {'windowState': state}}
        browser.send('Browser.setWindowBounds', bounds)

    put('minimized')
    robot.seen.clear()
    if page.evaluate('document.visibilityState') == 'hidden':
        time.sleep(hidden_for)
        check('hidden, it stays the endpoint', not robot.seen)
    else:
        print('NOT CHECKED: a hidden page (needs a display: --headed, with Xvfb)', flush=True)
    put('normal')

    robot.calls.clear()
    stage.restart()
    check.soon('the server restarted: the page shows that it has no session',
               lambda: page.locator('#login').is_visible())  # fmt: skip
    page.mouse.click(*middle(page))
    check.soon('and stops all the same', lambda: 'estop' in robot.calls)

    robot.calls.clear()
    stage.server.close()
    page.mouse.click(*middle(page))
    check.soon('without a server it reports that nothing is confirmed',
               lambda: 'NOT CONFIRMED' in page.inner_text('#estop-result'))  # fmt: skip
    page.screenshot(path=str(check.out / 'dashboard_no_server.png'))
    check('and is the same button', button_is_the_e_stop(page))
    stage.server = WebServer(stage.application.asgi, stage.listening.dup())
    check.soon('and the press arrives when the server is back', lambda: 'estop' in robot.calls)
    log_in(page, stage)  # it takes back the lease that it held
    check.soon('logged in again, it is the endpoint again', lambda: alive(robot))
    robot.now = Situation('ESTOP', 9, ())
    page.wait_for_timeout(1000)
    page.goto('about:blank')
    check.soon('closed, it leaves where nothing may move', lambda: robot.endpoints.names == ())
    check('no script failed and the policy refused nothing', not errors)
    if errors:
        print('     ' + '\n     '.join(errors))


def middle(page: Page) -> tuple[float, float]:
    box = page.locator('#estop-button').bounding_box()
    return box['x'] + box['width'] / 2, box['y'] + box['height'] / 2


def alive(robot: FakeRobot) -> bool:
    return robot.endpoints.names == ('dashboard',) and not robot.conditions()


def pressed(robot: FakeRobot) -> bool:
    return 'estop_endpoint:dashboard' in robot.conditions()


def watch(robot: FakeRobot) -> None:
    """The supervisor's cycle: what the endpoints report."""
    robot.seen = set()

    def cycle() -> None:
        while True:
            robot.seen.update(robot.conditions())
            time.sleep(0.02)

    threading.Thread(target=cycle, daemon=True).start()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--chromium', default='/usr/bin/chromium')
    parser.add_argument('--out', type=Path, default=Path('.'), help='folder of the screenshots')
    parser.add_argument('--headed', action='store_true', help='on a display')
    parser.add_argument('--hidden-for', type=float, default=10.0, help='s in the background')
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    check, stage = Checks(options.out), Stage()
    watch(stage.robot)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=options.chromium,
            headless=not options.headed,
            args=FLAGS,
            ignore_default_args=SET_FOR_TESTS,
        )
        page = browser.new_context(viewport=DESKTOP).new_page()
        page.set_default_timeout(20_000)
        try:
            check_all(check, page, stage, options.hidden_for)
        finally:
            browser.close()
            stage.alive = False
            stage.server.close()
    return min(1, check.failed)


if __name__ == '__main__':
    raise SystemExit(main())
