# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Launch tests under pytest: generated, run, and judged by their report."""

import os
import subprocess
import sys
import textwrap
import xml.etree.ElementTree

import pytest

_HEADER = """
import sys, time, unittest
import launch, launch_testing, launch_testing.actions, launch_testing.asserts
import pytest
from launch.actions import ExecuteProcess, TimerAction


def py(code, *arguments, **kwargs):
    return ExecuteProcess(cmd=[sys.executable, '-uc', code, *arguments], **kwargs)
"""


@pytest.fixture
def pytest_on(tmp_path, environment):
    def run(body: str, *options: str) -> tuple[int, dict, str]:
        """The exit code, the text of each item's failure ('' if passed), and all output."""
        (tmp_path / 'test_generated.py').write_text(_HEADER + textwrap.dedent(body))
        report = tmp_path / 'report.xml'
        done = subprocess.run(
            [
                *(sys.executable, '-m', 'pytest', '-p', 'no:cacheprovider', '-q'),
                *(f'--junit-xml={report}', f'--rootdir={tmp_path}', *options),
                'test_generated.py',
            ],
            cwd=tmp_path,
            env={k: v for k, v in environment.items() if k != 'PYTEST_CURRENT_TEST'}
            | {'PYTHONPATH': os.pathsep.join(filter(None, [os.environ.get('PYTHONPATH')]))},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=90,
        )
        items = {}
        for case in xml.etree.ElementTree.parse(report).iter('testcase'):
            wrong = [e for e in case if e.tag in ('failure', 'error', 'skipped')]
            items[case.get('name')] = ''.join((e.text or '') + e.get('message') for e in wrong)
        return done.returncode, items, done.stdout

    return run


def test_active_and_post_shutdown_tests_see_output_and_exit_codes(pytest_on):
    code, items, text = pytest_on(
        """
        @pytest.mark.launch_test
        def generate_test_description():
            long = py('import time; print("one"); print("two"); time.sleep(1000)', name='long')
            quick = py('import sys; print("oops", file=sys.stderr); exit(3)', 'arg', name='quick')
            return launch.LaunchDescription([
                long, quick, TimerAction(period=0.1, actions=[launch_testing.actions.ReadyToTest()])
            ]), {'long': long}

        class TestActive(unittest.TestCase):
            @classmethod
            def setUpClass(cls, long):
                cls.from_class = long

            def setUp(self, proc_info):
                self.info = proc_info

            def test_output(self, proc_output, long, launch_service):
                assert launch_service.context is not None
                assert self.from_class is long
                assert self.info[long].pid == long.process_details['pid']
                proc_output.assertWaitFor('two', process=long, stream='stdout', timeout=30)
                proc_output.assertWaitFor('oops', process='quick', cmd_args='arg', timeout=30)
                assert not proc_output.waitFor('three', process=long, stream='stdout', timeout=0.1)

        @launch_testing.post_shutdown_test()
        class TestAfter(unittest.TestCase):
            def test_exit_codes(self, proc_info, long):
                launch_testing.asserts.assertExitCodes(proc_info, [3], process='quick')
                launch_testing.asserts.assertExitCodes(proc_info, [1, -2], long)
                with self.assertRaises(AssertionError):
                    launch_testing.asserts.assertExitCodes(proc_info)

            def test_output(self, proc_output, long):
                launch_testing.asserts.assertInStderr(proc_output, 'oops', 'quick')
                launch_testing.asserts.assertInStdout(proc_output, ['one', 'two'], long)
                with self.assertRaises(AssertionError):
                    launch_testing.asserts.assertInStdout(proc_output, ['two', 'one'], long)
        """
    )
    assert (code, items) == (0, {'test_generated': ''}), text
    for test in ('test_output', 'test_exit_codes'):
        assert test in text or code == 0


def test_failures_of_both_phases_are_in_the_report_of_the_one_item(pytest_on):
    code, items, text = pytest_on(
        """
        @pytest.mark.launch_test
        def generate_test_description():
            return launch.LaunchDescription([
                ExecuteProcess(cmd=['sleep', '1000']), launch_testing.actions.ReadyToTest()])

        class TestActive(unittest.TestCase):
            def test_fails(self):
                self.assertEqual(1, 2)

            def test_passes(self):
                pass

        @launch_testing.post_shutdown_test()
        class TestAfter(unittest.TestCase):
            def test_fails_after(self):
                raise ValueError('on purpose')
        """
    )
    assert code == 1
    assert list(items) == ['test_generated']
    for words in ('TestActive.test_fails', '1 != 2', 'TestAfter.test_fails_after', 'on purpose'):
        assert words in items['test_generated'], text
    assert 'TestActive.test_passes failed' not in text


@pytest.mark.parametrize(
    ('entities', 'message'),
    [
        ('py(\'print("last words"); exit(7)\'), Ready()', 'last words'),
        ("py('exit(7)')", 'ReadyToTest'),
        ("py('import time; time.sleep(1000)'), TimerAction(period=900.0, actions=[Ready()])", ''),
    ],
)
def test_a_launch_that_ends_early_or_is_never_ready_is_a_failure(pytest_on, entities, message):
    code, items, text = pytest_on(
        f"""
        Ready = launch_testing.actions.ReadyToTest

        @pytest.mark.launch_test
        @launch_testing.ready_to_test_action_timeout(1.0)
        def generate_test_description():
            return launch.LaunchDescription([{entities}])

        class TestActive(unittest.TestCase):
            def test_never_passes(self):
                time.sleep(5)
        """
    )
    assert code == 1
    assert items['test_generated'] != ''
    assert message in text


def test_a_skipped_test_is_no_failure(pytest_on):
    code, items, text = pytest_on(
        """
        @pytest.mark.launch_test
        def generate_test_description():
            return launch.LaunchDescription([
                ExecuteProcess(cmd=['sleep', '1000']), launch_testing.actions.ReadyToTest()])

        class TestActive(unittest.TestCase):
            @unittest.skip('not now')
            def test_skipped(self):
                raise AssertionError
        """
    )
    assert (code, items) == (0, {'test_generated': ''}), text


def test_modules_without_the_mark_are_ordinary_tests(pytest_on):
    code, items, _ = pytest_on(
        """
        def generate_test_description():
            raise AssertionError('not a launch test')

        def test_ordinary():
            assert 1 + 1 == 2
        """
    )
    assert (code, items) == (0, {'test_ordinary': ''})
