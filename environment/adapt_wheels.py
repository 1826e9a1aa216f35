# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Make the ROS wheels buildable against: drop the include folders of the machine that built them.

The CMake exports of the message packages' Python targets name `/opt/python/...`, a folder of
the build container; CMake refuses targets whose include folders do not exist. The property is
emptied, not deleted: code generated downstream sets it again for the interpreter in use.

Usage: adapt_wheels.py VENV
"""

import pathlib
import re
import sys

PROPERTY = re.compile(r'(INTERFACE_INCLUDE_DIRECTORIES ")[^"]*/opt/python/[^"]*(")')


def main() -> int:
    venv = pathlib.Path(sys.argv[1])
    exports = sorted(venv.glob('share/*/cmake/export_*__rosidl_generator_pyExport.cmake'))
    if not exports:
        print(f'{venv}: no message package found; is ROS installed there?', file=sys.stderr)
        return 1
    for export in exports:
        text = export.read_text()
        export.write_text(PROPERTY.sub(r'\1\2', text))
    print(f'{len(exports)} CMake exports adapted')
    return 0


if __name__ == '__main__':
    sys.exit(main())
