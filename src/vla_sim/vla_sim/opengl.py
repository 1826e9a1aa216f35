# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Off-screen rendering with MuJoCo's OpenGL renderer: EGL (GPU or software) or OSMesa.

A missing or broken graphics library can end a process, and `import mujoco` itself fails if
MUJOCO_GL names a missing one. So `available` tries in a separate process, and importing this module
loads no OpenGL.
"""

import functools
import importlib
import os
import subprocess
import sys

import mujoco
import numpy as np

from vla_sim.mujoco_model import FAR, NEAR, VISIBLE_GROUPS

BACKENDS = ('egl', 'osmesa')
PROBE_TIMEOUT = 30.0  # s; a cold software driver needs about one
OK = 'drawn'


@functools.cache
def available(backend: str) -> bool:
    """Whether `egl` or `osmesa` can render on this machine."""
    environment = {
        key: value
        for key, value in os.environ.items()
        if key not in ('MUJOCO_GL', 'PYOPENGL_PLATFORM')
    }
    environment['PYTHONPATH'] = os.pathsep.join(path for path in sys.path if path)
    try:
        result = subprocess.run(
            [sys.executable, '-m', 'vla_sim.opengl', backend],
            env=environment,
            capture_output=True,
            text=True,
            timeout=PROBE_TIMEOUT,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return result.returncode == 0 and result.stdout.strip().endswith(OK)


class OpenGlCamera:
    """Renders one camera of a model, in the thread that created it only.

    Raises:
        ImportError, RuntimeError, AttributeError: no such library, or it does not work.
    """

    def __init__(
        self, model: mujoco.MjModel, camera: str, width: int, height: int, backend: str
    ) -> None:
        self._model = model
        self._width, self._height = width, height
        model.vis.global_.offwidth = max(width, model.vis.global_.offwidth)
        model.vis.global_.offheight = max(height, model.vis.global_.offheight)
        # Multisampling and shadows cost three times the rest.
        model.vis.quality.offsamples = 0
        model.vis.quality.shadowsize = 0
        # Mesa's software driver: its own threads gain nothing on images this small, and each frame
        # would wait until every one of them got a processor.
        os.environ.setdefault('LP_NUM_THREADS', '0')
        # Both modules of MuJoCo set PYOPENGL_PLATFORM for this process when first imported.
        module = importlib.import_module(f'mujoco.{backend}')
        self._gl = module.GLContext(width, height)
        self._gl.make_current()
        self._context = mujoco.MjrContext(model, mujoco.mjtFontScale.mjFONTSCALE_100)
        mujoco.mjr_setBuffer(mujoco.mjtFramebuffer.mjFB_OFFSCREEN, self._context)
        self._context.readDepthMap = mujoco.mjtDepthMap.mjDEPTH_ZEROFAR
        self._scene = mujoco.MjvScene(model, maxgeom=max(200, 2 * model.ngeom))
        for flag in ('SHADOW', 'REFLECTION', 'SKYBOX', 'HAZE', 'FOG'):
            self._scene.flags[getattr(mujoco.mjtRndFlag, f'mjRND_{flag}')] = False
        self._option = mujoco.MjvOption()
        self._option.geomgroup[:] = [group in VISIBLE_GROUPS for group in range(6)]
        self._option.sitegroup[:] = 0
        self._view = mujoco.MjvCamera()
        self._view.type = mujoco.mjtCamera.mjCAMERA_FIXED
        self._view.fixedcamid = model.camera(camera).id
        self._rectangle = mujoco.MjrRect(0, 0, width, height)
        self._rgb = np.empty((height, width, 3), np.uint8)
        self._depth = np.empty((height, width), np.float32)

    def draw(self, data: mujoco.MjData) -> tuple[np.ndarray, np.ndarray]:
        """(rgb (H, W, 3) uint8, depth (H, W) float32 m, FAR for the background)."""
        self._gl.make_current()
        mujoco.mjv_updateScene(
            self._model,
            data,
            self._option,
            None,
            self._view,
            mujoco.mjtCatBit.mjCAT_ALL,
            self._scene,
        )
        for _ in range(2):
            mujoco.mjr_render(self._rectangle, self._scene, self._context)
            mujoco.mjr_readPixels(self._rgb, self._depth, self._rectangle, self._context)
            # Once in thousands of frames Mesa's software driver returned an invalid depth.
            if self._depth.min() >= 0.0 and self._depth.max() <= 1.0:
                break
        # OpenGL's rows are bottom-up; the depth map is 1 at the near plane and 0 at the far one.
        nearness = np.clip(np.nan_to_num(self._depth[::-1]), 0.0, 1.0)
        depth = NEAR * FAR / (NEAR + (FAR - NEAR) * nearness)
        return self._rgb[::-1].copy(), depth

    def close(self) -> None:
        if self._gl is not None:
            self._gl.make_current()
            self._context.free()
            self._gl.free()
            self._gl = None


def _probe(backend: str) -> None:
    model = mujoco.MjModel.from_xml_string(
        '<mujoco><worldbody><camera name="eye" pos="0 0 1"/><geom size=".1"/></worldbody></mujoco>'
    )
    data = mujoco.MjData(model)
    mujoco.mj_forward(model, data)
    camera = OpenGlCamera(model, 'eye', 16, 16, backend)
    rgb, _ = camera.draw(data)
    camera.close()
    if rgb.max() == 0:
        raise RuntimeError('the image is black')
    print(OK)


if __name__ == '__main__':
    _probe(sys.argv[1])
