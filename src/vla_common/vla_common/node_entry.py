# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The begin of a node's process, before its imports; its help."""

from __future__ import annotations

import ast
import signal
import sys
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path


def start(module: str) -> None:
    """Import the node's module and call its `main`.

    The imports take a second and more. A Ctrl-C in that time ends the process without a traceback
    (launch shows six of them); `node_main.run` handles signals from there on. Where SIGINT is
    ignored (a background job of a script), it stays so.

    `--help` prints what the node is and its parameters instead.
    """
    own = sys.argv[1 : sys.argv.index('--ros-args') if '--ros-args' in sys.argv else None]
    if '--help' in own or '-h' in own:
        print(help_text(module, Path(sys.argv[0]).name))
        return
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    import_module(module).main()


def help_text(module: str, program: str) -> str:
    """The help of a node: its module's docstring, and the parameters of its package.

    module: is not imported. program: the node's executable.
    """
    from vla_common.parameters import ParameterSchema

    spec = find_spec(module)
    assert spec is not None and spec.origin is not None
    about = ast.get_docstring(ast.parse(Path(spec.origin).read_text('utf-8'))) or ''
    package = module.partition('.')[0]
    lines = [
        f'usage: ros2 run {package} {program} --ros-args [-p NAME:=VALUE ...] [--params-file FILE]',
        '',
        about,
        '',
        'A lifecycle node. To start the whole robot: ros2 launch vla_bringup humanoid.launch.py',
        '',
        'parameters:',
    ]
    for entry in ParameterSchema.load(package, program).entries:
        default = 'required' if entry.required else f'default {entry.default!r}'
        lines.append(f'  {entry.name}: {entry.wanted}; {default}')
        lines.append(f'      {" ".join(entry.description.split())}')
    return '\n'.join(lines)
