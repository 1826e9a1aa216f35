# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The launch log: one screen, one directory per run under ROS_LOG_DIR, ROS_HOME/log or ~/.ros."""

import datetime
import logging
import os
import socket
import sys
from pathlib import Path


class _ScreenHandler(logging.Handler):
    """Writes to whatever sys.stdout is now (pytest exchanges it), flushing each line."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            sys.stdout.write(self.format(record) + '\n')
            sys.stdout.flush()
        except (BrokenPipeError, ValueError):
            pass  # the reader (`| head`) went away or the stream was closed: launch goes on
        except UnicodeEncodeError:
            sys.stdout.write(self.format(record).encode('ascii', 'replace').decode() + '\n')


class _Formatter(logging.Formatter):
    """Prefixes launch's own lines; passes the output of processes as it came."""

    def __init__(self, stamp: str = '') -> None:
        super().__init__(stamp + '[{levelname}] [{name}]: {message}', style='{')
        self._passed = logging.Formatter(stamp + '{message}', style='{')

    def format(self, record: logging.LogRecord) -> str:
        if getattr(record, 'process_output', False):
            return self._passed.format(record)
        return super().format(record)


class LaunchConfig:
    """Level, screen and log directory of this process's launches."""

    def __init__(self) -> None:
        self._log_dir: str | None = None
        self.level = logging.INFO
        self._loggers: dict[str, logging.Logger] = {}
        self._file: logging.Handler | None = None
        self._screen = _ScreenHandler()
        self._screen.setFormatter(_Formatter())

    def set_level(self, level: int) -> None:
        self.level = level
        for logger in self._loggers.values():
            logger.setLevel(level)

    @property
    def log_dir(self) -> str:
        """The directory of this run, created at the first use; `latest` links to it."""
        if self._log_dir is None:
            root = os.environ.get('ROS_LOG_DIR')
            root = root or os.path.join(os.environ.get('ROS_HOME') or '~/.ros', 'log')
            stamp = datetime.datetime.now().strftime('%Y-%m-%d-%H-%M-%S-%f')
            path = Path(os.path.normpath(os.path.expanduser(root)))
            path /= f'{stamp}-{socket.gethostname()}-{os.getpid()}'
            try:
                path.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise RuntimeError(
                    f'the log directory {path} cannot be created ({error.strerror}): '
                    'export ROS_LOG_DIR, or HOME, as a folder that can be written'
                ) from None
            _link_latest(path)
            self._log_dir = str(path)
        return self._log_dir

    @property
    def _file_handler(self) -> logging.Handler:
        if self._file is None:
            path = os.path.join(self.log_dir, 'launch.log')
            self._file = logging.FileHandler(path, encoding='utf-8')
            self._file.setFormatter(_Formatter('{created:.7f} '))
        return self._file

    def make_logger(self, name: str, screen: bool = True, file: bool = True) -> logging.Logger:
        logger = logging.getLogger(name)
        if name not in self._loggers:
            logger.propagate = False
            logger.setLevel(self.level)
            self._loggers[name] = logger
        if screen:
            logger.addHandler(self._screen)
        if file:
            logger.addHandler(self._file_handler)
        return logger

    def forget(self) -> None:
        for logger in self._loggers.values():
            logger.handlers.clear()
        if self._file is not None:
            self._file.close()
        self._loggers.clear()
        self._file = self._log_dir = None
        self.set_level(logging.INFO)


launch_config = LaunchConfig()


def _link_latest(path: Path) -> None:
    """Point `latest` at this run; another launch doing so at the same time is no error."""
    latest = path.parent / 'latest'
    fresh = path.parent / f'.latest-{os.getpid()}'
    try:
        if latest.exists() and not latest.is_symlink():
            return
        fresh.symlink_to(path, target_is_directory=True)
        os.replace(fresh, latest)
    except OSError:
        fresh.unlink(missing_ok=True)


def get_logger(name: 'str | None' = None) -> logging.Logger:
    """A logger that writes to the screen and to launch.log."""
    return launch_config.make_logger(name or 'launch')


def log_launch_config(*, logger: logging.Logger) -> None:
    """The first two lines of a launch."""
    logger.info(f'All log files can be found below {launch_config.log_dir}')
    logger.info(f'Default logging verbosity is set to {logging.getLevelName(launch_config.level)}')


_OUTPUTS = ('screen', 'log', 'both')


def get_output_loggers(process_name: str, output_config: str) -> tuple:
    """The stdout and stderr loggers of a process.

    `output_config`: 'screen', 'log' (stderr also on the screen) or 'both'.
    """
    if output_config not in _OUTPUTS:
        raise ValueError(
            f'{output_config} is not a valid standard output config, '
            f'expected one of: {", ".join(_OUTPUTS)}'
        )
    file = output_config != 'screen'
    loggers = []
    for source in ('stdout', 'stderr'):
        screen = output_config != 'log' or source == 'stderr'
        logger = launch_config.make_logger(f'{process_name}-{source}', screen, file)
        logger.setLevel(logging.DEBUG)
        loggers.append(logger)
    return tuple(loggers)


def reset() -> None:
    """Forget loggers, file and directory: the next launch of this process starts new ones."""
    launch_config.forget()
