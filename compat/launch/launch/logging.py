# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The launch log: one screen, one directory per run under ROS_LOG_DIR, ROS_HOME/log or ~/.ros."""

import datetime
import logging
import os
import socket
import sys
from pathlib import Path

_SCREEN_FORMAT = '[{levelname}] [{name}]: {message}'
_FILE_FORMAT = '{created:.7f} [{levelname}] [{name}]: {message}'


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

    def __init__(self, own: str, passed: str) -> None:
        super().__init__(own, style='{')
        self._passed = logging.Formatter(passed, style='{')

    def format(self, record: logging.LogRecord) -> str:
        if getattr(record, 'process_output', False):
            return self._passed.format(record)
        return super().format(record)


class LaunchConfig:
    """Level, screen and log directory of this process's launches."""

    def __init__(self) -> None:
        self._log_dir: str | None = None
        self._level = logging.INFO
        self._loggers: dict[str, logging.Logger] = {}
        self._file_handlers: dict[str, logging.Handler] = {}
        self._screen_handler = _ScreenHandler()
        self._screen_handler.setFormatter(_Formatter(_SCREEN_FORMAT, '{message}'))

    @property
    def level(self) -> int:
        return self._level

    @level.setter
    def level(self, level: int) -> None:
        self._level = level
        for logger in self._loggers.values():
            logger.setLevel(level)

    @property
    def log_dir(self) -> str:
        """The directory of this run, made when first asked for; `latest` links to it."""
        if self._log_dir is None:
            stamp = datetime.datetime.now().strftime('%Y-%m-%d-%H-%M-%S-%f')
            path = _log_root() / f'{stamp}-{socket.gethostname()}-{os.getpid()}'
            path.mkdir(parents=True, exist_ok=True)
            _link_latest(path)
            self._log_dir = str(path)
        return self._log_dir

    @log_dir.setter
    def log_dir(self, path: 'str | None') -> None:
        if path is not None and not os.path.isdir(path):
            raise ValueError(f'{path} is not a directory')
        self._log_dir = path

    def get_log_file_path(self, file_name: str = 'launch.log') -> str:
        return os.path.join(self.log_dir, file_name)

    def get_screen_handler(self) -> logging.Handler:
        return self._screen_handler

    def get_log_file_handler(self, file_name: str = 'launch.log') -> logging.Handler:
        if file_name not in self._file_handlers:
            handler = logging.FileHandler(self.get_log_file_path(file_name), encoding='utf-8')
            handler.setFormatter(_Formatter(_FILE_FORMAT, '{created:.7f} {message}'))
            self._file_handlers[file_name] = handler
        return self._file_handlers[file_name]

    def _own(self, name: 'str | None') -> logging.Logger:
        logger = logging.getLogger(name or 'launch')
        if logger.name not in self._loggers:
            logger.propagate = False
            logger.setLevel(self._level)
            self._loggers[logger.name] = logger
        return logger

    def _forget(self) -> None:
        for logger in self._loggers.values():
            logger.handlers.clear()
        for handler in self._file_handlers.values():
            handler.close()
        self._loggers.clear()
        self._file_handlers.clear()
        self._log_dir = None
        self.level = logging.INFO


launch_config = LaunchConfig()


def _log_root() -> Path:
    root = os.environ.get('ROS_LOG_DIR')
    if not root:
        root = os.path.join(os.environ.get('ROS_HOME') or os.path.join('~', '.ros'), 'log')
    return Path(os.path.normpath(os.path.expanduser(root)))


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


def _add_handler(logger: logging.Logger, handler: logging.Handler) -> None:
    if handler not in logger.handlers:
        logger.addHandler(handler)


def get_logger(name: 'str | None' = None) -> logging.Logger:
    """A logger that writes to the screen and to launch.log."""
    logger = launch_config._own(name)
    _add_handler(logger, launch_config.get_screen_handler())
    _add_handler(logger, launch_config.get_log_file_handler())
    return logger


def log_launch_config(*, logger: logging.Logger) -> None:
    """The first two lines of a launch."""
    logger.info(f'All log files can be found below {launch_config.log_dir}')
    logger.info(f'Default logging verbosity is set to {logging.getLevelName(launch_config.level)}')


_OUTPUT_ALIASES = {
    'screen': {'both': {'screen'}},
    'log': {'both': {'log'}, 'stderr': {'screen'}},
    'both': {'both': {'log', 'screen'}},
    'own_log': {'both': {'own_log'}, 'stdout': {'own_log'}, 'stderr': {'own_log'}},
    'full': {
        'both': {'screen', 'log', 'own_log'},
        'stdout': {'own_log'},
        'stderr': {'own_log'},
    },
}


def _normalize_output(config) -> dict[str, set[str]]:
    if isinstance(config, str):
        if config not in _OUTPUT_ALIASES:
            raise ValueError(
                f'{config} is not a valid standard output config, '
                f'expected one of: {", ".join(_OUTPUT_ALIASES)}'
            )
        config = _OUTPUT_ALIASES[config]
    normalized = {'stdout': set(), 'stderr': set(), 'both': set()}
    for source, destinations in dict(config).items():
        if source not in normalized:
            raise ValueError(f'{source} is not a valid output source: stdout, stderr or both')
        chosen = {destinations} if isinstance(destinations, str) else set(destinations)
        wrong = chosen - {'screen', 'log', 'own_log'}
        if wrong:
            raise ValueError(
                f'{", ".join(sorted(wrong))} is not a valid output destination: '
                'screen, log or own_log'
            )
        normalized[source] = chosen
    return normalized


def get_output_loggers(process_name: str, output_config) -> tuple[logging.Logger, logging.Logger]:
    """The stdout and stderr loggers of a process.

    `output_config` is 'screen', 'log' (stderr also on screen), 'both', 'own_log', 'full', or a
    dict from stdout, stderr and both to screen, log and own_log.
    """
    config = _normalize_output(output_config)
    loggers = []
    for source in ('stdout', 'stderr'):
        logger = launch_config._own(f'{process_name}-{source}')
        logger.setLevel(logging.DEBUG)
        wanted = config['both'] | config[source]
        if 'screen' in wanted:
            _add_handler(logger, launch_config.get_screen_handler())
        if 'log' in wanted:
            _add_handler(logger, launch_config.get_log_file_handler())
        if 'own_log' in config[source]:
            _add_handler(logger, _own_log(f'{process_name}-{source}.log'))
        if 'own_log' in config['both']:
            _add_handler(logger, _own_log(f'{process_name}.log'))
        loggers.append(logger)
    return loggers[0], loggers[1]


def _own_log(file_name: str) -> logging.Handler:
    handler = launch_config.get_log_file_handler(file_name)
    handler.setFormatter(logging.Formatter('{message}', style='{'))
    return handler


def reset() -> None:
    """Forget loggers, files and directory: the next launch of this process starts afresh."""
    launch_config._forget()
