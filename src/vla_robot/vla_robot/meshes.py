# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Mesh files of a URDF, and the convex hulls that stand for them in collision.

A hull contains its mesh, so that a distance to it is never larger than that to the mesh. It makes
distances of concave meshes an order of magnitude faster, and MuJoCo's collision uses hulls too.
"""

from collections.abc import Sequence
from pathlib import Path

import coal
import numpy as np

from vla_common.errors import ConfigError

FORMATS = ('.stl', '.obj', '.dae', '.ply')
LARGEST = 10.0
"""m; no link is larger. A mesh in mm is."""
THINNEST = 1e-5
"""m; the hull of a thinner mesh has no inside (qhull ends the process on a flat one)."""


def find_mesh(urdf: Path, key: str, name: str, folder: str = '') -> Path:
    """The file that a `filename` means.

    `package://NAME/rest`: in the share folder of an installed package, else `rest` in the URDF's
    directory or the one above (a description package that is not installed). Other names are
    relative to the URDF.

    Args:
        folder: `meshdir` of the URDF's <mujoco> block.

    Raises ConfigError: no such file, or a format that is not read.
    """
    found: Path | None = None
    wanted = 'an existing mesh file (relative to the URDF, or package://)'
    if name.startswith('package://'):
        package, _, rest = name[len('package://') :].partition('/')
        share = _share(package)
        places = [share] if share else [urdf.parent, urdf.parent.parent]
        candidates = [place / rest for place in places]
        if share is None:
            wanted = f'{package} installed, or {rest} beside the URDF, or an existing mesh file'
    else:
        plain = name.removeprefix('file://')
        candidates = [urdf.parent / plain]
        if folder:
            candidates.append(urdf.parent / folder / Path(plain).name)
    found = next((c for c in candidates if name and c.is_file()), None)
    if found is None:
        raise ConfigError(urdf, key, name or 'nothing', wanted)
    if found.suffix.lower() not in FORMATS:
        raise ConfigError(urdf, key, name, 'a mesh in one of ' + ', '.join(FORMATS))
    return found.resolve()


def _share(package: str) -> Path | None:
    try:
        from ament_index_python.packages import get_package_share_directory

        return Path(get_package_share_directory(package))
    except (ImportError, LookupError, ValueError):
        return None


def load_mesh(
    file: Path, scale: Sequence[float], where: tuple[Path, str]
) -> tuple[np.ndarray, coal.BVHModelBase]:
    """Vertices (k, 3) in m of a mesh file, and the mesh (for `triangles`).

    Args:
        where: file and key, for errors.

    Raises ConfigError: unreadable, empty, not finite, or too large.
    """
    try:
        mesh = coal.MeshLoader().load(str(file), np.asarray(scale, dtype=float))
        vertices = np.array(mesh.vertices(), dtype=float).reshape(-1, 3)
    except (ValueError, RuntimeError) as error:
        raise ConfigError(*where, f'{file.name}: unreadable', 'a mesh file of triangles') from error
    if len(vertices) < 3 or mesh.num_tris == 0:
        raise ConfigError(*where, f'{file.name}: no triangles', 'a mesh file of triangles')
    if not np.isfinite(vertices).all():
        raise ConfigError(*where, f'{file.name}: vertices not finite', 'finite vertices')
    size = float(np.ptp(vertices, axis=0).max())
    if not size <= LARGEST:
        raise ConfigError(
            *where,
            f'{file.name}: {size:.4g} m long',
            f'at most {LARGEST:g} m (a mesh in mm: scale="0.001 0.001 0.001")',
        )
    return vertices, mesh


def triangles(mesh: coal.BVHModelBase) -> np.ndarray:
    """(m, 3) indices of the vertices of each triangle."""
    corners = [mesh.tri_indices(k) for k in range(mesh.num_tris)]
    return np.array([(c[0], c[1], c[2]) for c in corners], dtype=np.int32)


def convex_hull(vertices: np.ndarray, where: tuple[Path, str]) -> coal.Convex:
    """The convex hull of (k, 3) points. Raises ConfigError: they lie in a plane."""
    centred = vertices - vertices.mean(axis=0)
    axes = np.linalg.svd(centred, full_matrices=False)[2]
    thickness = float(np.ptp(centred @ axes.T, axis=0).min())
    if len(vertices) < 4 or not thickness >= THINNEST:
        raise ConfigError(
            *where, f'a flat mesh, {thickness:.2g} m thick', 'a solid of at least 0.01 mm'
        )
    points = coal.StdVec_Vec3s()
    for vertex in vertices:
        points.append(vertex)
    try:
        return coal.Convex.convexHull(points, True, 'Qt')
    except (ValueError, RuntimeError) as error:
        raise ConfigError(*where, 'a mesh without a convex hull', 'a solid') from error
