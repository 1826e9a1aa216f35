# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Images of a running camera for a calibration: of a source, or of a topic."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from vla_camera.calibration.board import Board, OtherBoardError
from vla_camera.calibration.coverage import Coverage
from vla_camera.foreign_images import color_of, decoded_color
from vla_camera.source import CameraError, Source
from vla_camera.sources import SOURCES
from vla_common.clock import steady_now
from vla_common.errors import ConfigError
from vla_common.image_cdr import read_compressed_image, read_image
from vla_common.parameters import ParameterSchema

SILENCE = 10.0
"""s without an image after which collecting ends."""
Images = Iterator[np.ndarray | None]
"""uint8 RGB (h, w, 3), or None where none came for a moment."""


def source_images(kind: str, device: str, size: tuple[int, int], rate: float) -> Images:
    """The images of a source that needs no robot. Raises ConfigError: it does not open."""
    source_class = SOURCES.load(kind, 'arguments', '--source')
    if source_class.connect is not Source.connect:
        wanted = '--topic with the topic of its node'
        raise ConfigError('arguments', '--source', f'{kind}, which needs a node', wanted)
    params = ParameterSchema.load('vla_camera').defaults(
        source=kind, device=device, width=size[0], height=size[1], rate=rate
    )
    source = source_class.from_parameters(params, None)
    try:
        source.open()
        while True:
            frame = source.grab(0.2)
            yield None if frame is None else frame.color
    except CameraError as error:
        _, wanted = source_class.device_parameter(params)
        raise ConfigError('arguments', '--device', str(error), wanted) from error
    finally:
        source.close()


def topic_images(topic: str) -> Images:
    """The images of a topic, raw or …/compressed."""
    import rclpy
    from rclpy.qos import qos_profile_sensor_data
    from sensor_msgs.msg import CompressedImage, Image

    compressed = topic.endswith('/compressed')
    newest: list[bytes] = []
    rclpy.init()
    node = rclpy.create_node('calibrate')
    try:
        node.create_subscription(
            CompressedImage if compressed else Image, topic,
            lambda serialized: newest.__setitem__(slice(None), [serialized]),
            qos_profile_sensor_data, raw=True,
        )  # fmt: skip
        while True:
            rclpy.spin_once(node, timeout_sec=0.2)
            if not newest:
                yield None
                continue
            serialized = newest.pop()
            try:
                if compressed:
                    yield decoded_color(read_compressed_image(serialized))
                else:
                    yield color_of(read_image(serialized))
            except ValueError as error:
                raise ConfigError('arguments', '--topic', str(error), 'a color image') from error
    finally:
        node.destroy_node()
        rclpy.try_shutdown()


def collect(
    images: Images, board: Board, folder: Path, most: int, report: Any, now: Any = steady_now
) -> list[Path]:
    """Write the images that add something to the folder, until they suffice or there are `most`.

    report(text): called with the progress. Raises ConfigError: no image for `SILENCE` s, or the
    folder has images already.
    """
    if folder.exists() and any(folder.iterdir()):
        raise ConfigError(folder, '', 'files in it', 'an empty folder, or the folder as IMAGES')
    folder.mkdir(parents=True, exist_ok=True)
    coverage: Coverage | None = None
    files: list[Path] = []
    last = now()
    for image in images:
        if image is None:
            if now() - last > SILENCE:
                wanted = 'a camera that sends images'
                raise ConfigError('arguments', 'images', f'none for {SILENCE:.0f} s', wanted)
            continue
        gray = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
        coverage = coverage or Coverage(board, gray.shape[::-1])
        try:
            why = coverage.take(board.find(gray))
        except OtherBoardError as error:
            coverage.take(None)
            why = str(error)
        if not why:
            files.append(folder / f'{len(files):03}.png')
            cv2.imwrite(str(files[-1]), gray)
        report(f'{coverage.line()}{f" ({why})" if why else ""}')
        if len(files) >= most or (files and not coverage.missing()):
            break
        last = now()
    return files
