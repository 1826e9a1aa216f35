# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
import hashlib
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

HERE = Path(__file__).parent


def extension(path):
    """What is built from one module, with its source's SHA-1 in it (vla_safety/compiled.py)."""
    source = hashlib.sha1((HERE / path).read_bytes()).hexdigest()
    return Extension(
        '.'.join(path.with_suffix('').parts),
        [str(path)],
        # The same arithmetic as in Python, to the last bit: no fused multiply-add. More than -O1
        # makes a tick 5 % faster and the build twice as long.
        extra_compile_args=['-O1', '-ffp-contract=off', '-g0'],
        extra_link_args=[f'-Wl,--build-id=0x{source}'],
        depends=['setup.py'],
    )


# The modules that import cython; see vla_safety/compiled.py.
COMPILED = [
    extension(path)
    for path in sorted(path.relative_to(HERE) for path in HERE.glob('vla_safety/**/*.py'))
    if '\nimport cython\n' in (HERE / path).read_text()
]


class BuildCompiled(build_ext):
    """Cython, then C; only for a build, not when colcon lists the package."""

    def finalize_options(self):
        try:
            from Cython.Build import cythonize
        except ImportError:
            raise SystemExit(
                'vla_safety: Cython is missing; environment/workspace.txt pins it, '
                "'rosdep install' brings it"
            ) from None
        self.distribution.ext_modules[:] = cythonize(
            COMPILED,
            build_dir=self.get_finalized_command('build').build_temp,
            # A wrong size is an exception, never a foreign memory access.
            compiler_directives={'language_level': 3, 'boundscheck': True, 'wraparound': False},
        )
        super().finalize_options()
        self.parallel = 2


setup(ext_modules=list(COMPILED), cmdclass={'build_ext': BuildCompiled})
