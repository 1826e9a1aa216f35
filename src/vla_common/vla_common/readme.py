# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The generated tables of a package's README: its parameters, its node's topics.

    python -m vla_common.readme src/<package> ...

A table stands between two comments, `<!-- parameters: begin -->` and `<!-- parameters: end -->`;
the same with `parameters of <node>`, for a node with a schema of its own, and with `inputs of
<node>` and `outputs of <node>`, the topics of a node.
"""

import pathlib
import re
import sys

from vla_common import topics
from vla_common.errors import ConfigError
from vla_common.parameters import ParameterSchema

_BLOCK = re.compile(r'(<!-- ([^:\n]+): begin -->\n)(.*?)(<!-- \2: end -->)', re.DOTALL)


def write_tables(package: pathlib.Path) -> bool:
    """Write the tables of `package`/README.md; return whether it changed.

    Raises ConfigError: the package has parameters, and its README has no place for them.
    """
    readme = package / 'README.md'
    text = readme.read_text(encoding='utf-8')
    schema = package / 'parameters.yaml'
    names = [match[2] for match in _BLOCK.finditer(text)]
    if schema.is_file() and 'parameters' not in names:
        wanted = '<!-- parameters: begin --> and <!-- parameters: end -->'
        raise ConfigError(readme, '', 'no markers', wanted)

    def table(match: re.Match[str]) -> str:
        name = match[2]
        if name == 'parameters':
            content = ParameterSchema.from_file(schema).table()
        elif name.startswith('parameters of '):
            own = f'{name.removeprefix("parameters of ")}_parameters.yaml'
            content = ParameterSchema.from_file(package / own).table()
        elif name.startswith('inputs of '):
            content = topics.inputs_table(name.removeprefix('inputs of '))
        elif name.startswith('outputs of '):
            content = topics.outputs_table(name.removeprefix('outputs of '))
        else:
            return match[0]
        return f'{match[1]}{content}\n{match[4]}'

    new = _BLOCK.sub(table, text)
    if new != text:
        readme.write_text(new, encoding='utf-8')
    return new != text


def main() -> int:
    """Write the tables of each package folder given."""
    try:
        for folder in sys.argv[1:]:
            changed = write_tables(pathlib.Path(folder))
            print(f'{folder}/README.md: {"written" if changed else "up to date"}')
    except ConfigError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == '__main__':
    sys.exit(main())
