# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Write the environment's own setup scripts, so that colcon can chain it as an underlay.

With the ROS wheels these scripts do what /opt/ros/jazzy/setup.bash does elsewhere. They also set
what the wheels' bootstrapper would otherwise set by executing Python a second time (library
path and its guard), which halves each node's start.

Usage: write_setup_scripts.py VENV wheels|installed
"""

import pathlib
import sys

SHELLS = ('sh', 'bash', 'zsh')

PREPEND = """\
_vla_prepend() {
  # $1: variable, $2: folder; once, in front
  eval "_vla_old=\\${$1:-}"
  case ":$_vla_old:" in
    *":$2:"*) ;;
    *) eval "export $1=\\"$2${_vla_old:+:$_vla_old}\\"" ;;
  esac
}
"""


def script(venv: pathlib.Path, ros: str) -> str:
    lines = [
        '# Written by environment/write_setup_scripts.py; changes here are lost.',
        PREPEND,
        f'export VIRTUAL_ENV="{venv}"',
    ]
    if ros == 'wheels':
        libraries = sorted((venv / 'lib').glob('python3.*/site-packages/ros_*.libs'), reverse=True)
        lines += ['export ROS_DISTRO=jazzy ROS_VERSION=2 ROS_PYTHON_VERSION=3']
        lines += ['export RMW_IMPLEMENTATION="${RMW_IMPLEMENTATION:-rmw_fastrtps_cpp}"']
        lines += ['export _ROS_WHEELS_BOOTSTRAP_COMPLETE=1']
        lines += [f'_vla_prepend LD_LIBRARY_PATH "{folder}"' for folder in libraries]
        lines += [f'_vla_prepend LD_LIBRARY_PATH "{venv / "lib"}"']
        lines += [f'_vla_prepend AMENT_PREFIX_PATH "{venv}"']
        lines += [f'_vla_prepend CMAKE_PREFIX_PATH "{venv}"']
    lines += [f'_vla_prepend PATH "{venv / "bin"}"']
    lines += ['unset -f _vla_prepend', 'unset _vla_old', '']
    return '\n'.join(lines)


def main() -> int:
    venv, ros = pathlib.Path(sys.argv[1]).resolve(), sys.argv[2]
    text = script(venv, ros)
    for shell in SHELLS:
        (venv / f'setup.{shell}').write_text(text)
        (venv / f'local_setup.{shell}').write_text(text)
    return 0


if __name__ == '__main__':
    sys.exit(main())
