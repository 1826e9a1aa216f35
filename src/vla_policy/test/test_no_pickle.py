# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""No pickle anywhere: not on the wire, not in a bundle, not on disk."""

import ast
from pathlib import Path

import pytest

SOURCES = Path(__file__).resolve().parents[2]
MODULES = {'pickle', 'cPickle', 'cloudpickle', 'dill', 'joblib', 'shelve', 'marshal'}


def unpickling(source):
    """Lines of Python that could unpickle something: module or call, each with its line number."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            of = node.module if isinstance(node, ast.ImportFrom) else None
            names = [of or ''] if of else [alias.name for alias in node.names]
            found += [(node.lineno, n) for n in names if n.partition('.')[0] in MODULES]
        elif isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            given = {k.arg: ast.unparse(k.value) for k in node.keywords}
            allowed = given.get('allow_pickle', 'False') != 'False'
            whole = called == 'torch.load' and given.get('weights_only') != 'True'
            if allowed or whole:
                found.append((node.lineno, called))
    return found


@pytest.mark.parametrize(
    ('source', 'wanted'),
    [
        ('import pickle', [(1, 'pickle')]),
        ('from cloudpickle import loads', [(1, 'cloudpickle')]),
        ('import numpy, dill', [(1, 'dill')]),
        ('\nnp.load(f, allow_pickle=True)', [(2, 'np.load')]),
        ('np.load(f, allow_pickle=flag)', [(1, 'np.load')]),
        ('torch.load(f)', [(1, 'torch.load')]),
        ('torch.load(f, weights_only=False)', [(1, 'torch.load')]),
        ('torch.load(f, weights_only=True)', []),
        ('np.load(f)\nnp.save(f, a, allow_pickle=False)\nimport json', []),
    ],
)
def test_what_could_unpickle_is_seen(source, wanted):
    assert unpickling(source) == wanted


def test_no_package_unpickles_anything():
    files = [
        file
        for file in SOURCES.glob('*/**/*.py')
        if 'test' not in file.relative_to(SOURCES).parts and 'build' not in file.parts
    ]
    assert len(files) > 100, 'the sources of all packages are beside this one'
    found = {
        str(file.relative_to(SOURCES)): lines
        for file in files
        if (lines := unpickling(file.read_text()))
    }
    assert found == {}
