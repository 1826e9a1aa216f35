# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Calibration on rendered boards, whose lens and poses are known."""

import json
import re
import zlib

import cv2
import numpy as np
import pytest
from rendered_board import LENS, SIZE, looking_at_the_board

from vla_camera.calibration.board import Board, OtherBoardError, View
from vla_camera.calibration.board_command import main as board_command
from vla_camera.calibration.calibrate_command import main as calibrate_command
from vla_camera.calibration.coverage import Coverage
from vla_camera.calibration.intrinsics import calibrate
from vla_camera.calibration.live import collect
from vla_camera.calibration.views import ViewSet, read_views
from vla_camera.calibration_file import read_calibration
from vla_camera.lens import normalized, project
from vla_camera.source import Calibration
from vla_common.errors import ConfigError
from vla_common.testing_refusals import documented

BOARD = Board()
WIDE = Calibration(330.0, 331.0, 322.0, 238.0, 'equidistant', (-0.02, 0.006, -0.003, 4e-4))


@pytest.fixture(scope='module')
def renderer(board_set):
    return board_set.renderer


@pytest.fixture(scope='module')
def images(board_set):
    return board_set.images


@pytest.fixture(scope='module')
def folder(board_set):
    return board_set.folder


@pytest.fixture(scope='module')
def seen(images):
    return views_of(images).views


@pytest.fixture
def found(seen):
    """The views of the images, to be changed."""
    views = [View(view.name, view.numbers, view.pixels.copy()) for view in seen]
    return ViewSet('set', SIZE, views)


def views_of(images):
    found = ViewSet('set', SIZE)
    for k, image in enumerate(images):
        found.take(BOARD, image, f'{k:03}.png')
    return found


def projected(lens, pose, noise):
    """The view of a pose without an image: corners in the image, with noise (px)."""
    pixels = project(lens, BOARD.corners, cv2.Rodrigues(pose[:3, :3])[0], pose[:3, 3])
    inside = ((pixels > 5.0) & (pixels < np.array(SIZE) - 5.0)).all(1)
    random = np.random.default_rng(zlib.crc32(pose.tobytes()))
    pixels = pixels + random.normal(0.0, noise, pixels.shape)
    return View('', np.flatnonzero(inside), pixels[inside])


def furthest_pixel(found, true):
    """px: how far the two lenses are apart over the image, but for a turn of the camera, which no
    calibration of a single camera can tell from a shift of its principal point."""
    grid = np.stack(np.meshgrid(np.arange(20, 640, 40), np.arange(20, 480, 40)), 2)
    pixels = grid.reshape(-1, 2).astype(float)
    a, b = (
        np.column_stack([normalized(lens, pixels), np.ones(len(pixels))]) for lens in (found, true)
    )
    a, b = (rays / np.linalg.norm(rays, axis=1)[:, None] for rays in (a, b))
    u, _, vt = np.linalg.svd(a.T @ b)
    turn = u @ np.diag([1.0, 1.0, np.linalg.det(u @ vt)]) @ vt
    back = project(found, b @ turn.T, np.zeros(3), np.zeros(3))
    return np.linalg.norm(back - pixels, axis=1)


@pytest.mark.parametrize('model', ['plumb_bob', 'equidistant'])
def test_a_rendered_lens_is_recovered_within_a_third_of_a_pixel(found, model):
    true = LENS
    if model == 'equidistant':
        true = WIDE
        poses = looking_at_the_board(BOARD, WIDE, SIZE, 24, seed=2, near=0.15, far=0.3)
        found.views[:] = [projected(WIDE, pose, 0.15) for pose in poses]
    result = calibrate(found, BOARD, model)
    apart = furthest_pixel(result.calibration, true)
    assert apart.mean() < 0.2 and np.quantile(apart, 0.9) < 0.3
    assert result.residual < 0.3 and result.held_out < 0.3
    assert result.held_out > 0.8 * result.residual and not result.left_out
    for name in ('fx', 'fy', 'cx', 'cy'):
        assert abs(getattr(result.calibration, name) - getattr(true, name)) < 1.0, name


def test_corners_are_found_where_they_are(renderer):
    (pose,) = looking_at_the_board(BOARD, LENS, SIZE, 1, seed=5)
    view = BOARD.find(renderer.image(pose))
    rvec = cv2.Rodrigues(pose[:3, :3])[0]
    errors = view.pixels - project(LENS, BOARD.points(view), rvec, pose[:3, 3])
    assert len(view.numbers) >= 20 and np.sqrt(np.mean(errors**2)) < 0.15


def test_the_command_writes_what_the_camera_node_reads_and_a_picture(folder, tmp_path, capsys):
    out = tmp_path / 'head.yaml'
    assert calibrate_command([str(folder), '--out', str(out)]) == 0
    printed = capsys.readouterr().out
    assert 'residual 0.' in printed and str(out) in printed
    found = read_calibration(out, *SIZE)
    assert found.model == 'plumb_bob' and abs(found.fx - LENS.fx) < 1.0
    picture = cv2.imread(str(out.with_suffix('.png')))
    assert picture.shape[0] > 400 and len(np.unique(picture)) > 50
    with pytest.raises(ConfigError, match='image_width: found 640, wanted 320'):
        read_calibration(out, 320, 240)


def test_the_numbers_are_printed_as_json(folder, tmp_path, capsys):
    assert calibrate_command([str(folder), '--out', str(tmp_path / 'a.yaml'), '--json']) == 0
    numbers = json.loads(capsys.readouterr().out)
    assert numbers['views'] == 24 and numbers['held_out_px'] < 0.3 and numbers['width'] == 640


def test_one_view_that_does_not_fit_is_left_out_and_named(found):
    wrong = found.views[4].pixels
    wrong[:] += np.random.default_rng(0).normal(0.0, 4.0, wrong.shape)
    result = calibrate(found, BOARD)
    assert result.left_out == ('004.png',) and len(result.views) == 23
    assert furthest_pixel(result.calibration, LENS).mean() < 0.15


def too_few(found, images):
    del found.views[7:]
    found.missed = {'7.png': '', '8.png': ''}
    calibrate(found, BOARD)


def one_angle(found, images):
    """A board held parallel to the image all the time."""
    poses = looking_at_the_board(BOARD, LENS, SIZE, 12, seed=3, tilt=0.0)
    found.views[:] = [projected(LENS, pose, 0.1) for pose in poses]
    calibrate(found, BOARD)


def in_the_middle(found, images):
    for view in found.views:
        view.pixels[:] = np.array([320.0, 240.0]) + 0.2 * (view.pixels - [320.0, 240.0])
    calibrate(found, BOARD)


def not_flat(found, images):
    for view in found.views:
        x = BOARD.points(view)[:, 0] / BOARD.size[0]
        view.pixels[:, 1] += 12.0 * np.sin(np.pi * x)
    calibrate(found, BOARD)


def board_of_other_size(found, images):
    take(images, Board(columns=7, rows=5))


def board_of_other_layout(found, images):
    """The same number of markers, in rows of another length."""
    take(images, Board(columns=6, rows=9))


def take(images, board):
    found = ViewSet('set', SIZE)
    for k, image in enumerate(images[:6]):
        found.take(board, image, f'{k:03}.png')
    found.refuse_other_boards(board)


def image_of_other_size(found, images):
    found.take(BOARD, images[1][:400], '001.png')


@pytest.mark.parametrize(
    ('case', 'words'),
    [
        (too_few, 'views: found 7 of 9 images with the board, wanted at least 8'),
        (one_angle, 'angles of the board: found all views within'),
        (in_the_middle, 'covered image: found'),
        (not_flat, 'residual: found'),
        (board_of_other_size, 'board: found marker'),
        (board_of_other_layout, 'markers that are not arranged as on a board of 6x9'),
        (image_of_other_size, '001.png: found 640 x 400 px, wanted 640 x 480 px'),
    ],
    ids=lambda value: getattr(value, '__name__', ''),
)
def test_a_set_that_does_not_determine_the_camera_is_refused(found, images, case, words):
    with pytest.raises(ConfigError) as error:
        case(found, images)
    assert words in str(error.value)


def test_folders_without_a_calibration_in_them_are_refused_in_one_line(
    folder, images, tmp_path, capsys
):
    empty, text = tmp_path / 'empty', tmp_path / 'text.png'
    empty.mkdir()
    text.write_text('hello')
    out = ['--out', str(tmp_path / 'no.yaml')]
    for case, arguments in (
        ('no image in the folder', [str(empty), *out]),
        ('file that is no image', [str(text), *out]),
        ('neither images nor a camera', out),
        ('images and a camera', [str(folder), '--source', 'v4l2', *out]),
        ('source that needs a node', ['--source', 'mujoco', *out]),
        ('board that is no size', [str(folder), '--board', '9', *out]),
        ('markers larger than squares', [str(folder), '--marker', '0.04', *out]),
        ('dictionary without enough markers', [
            str(folder), '--board', '12x9', '--dictionary', '5X5_50', *out
        ]),
        ('result that is no YAML file', [str(folder), '--out', 'head.ini']),
    ):  # fmt: skip
        assert calibrate_command(arguments) == 2, case
        line = capsys.readouterr().err.splitlines()[-1]
        documented('Calibrations of cameras', case, line, tmp_path, folder)
    assert not (tmp_path / 'no.yaml').exists()


def test_live_images_are_kept_where_they_add_something_until_they_suffice(images, tmp_path):
    blank = np.full((480, 640, 3), 90, np.uint8)

    def shown():
        yield None
        yield blank
        for image in images:
            color = cv2.cvtColor(image, cv2.COLOR_GRAY2RGB)
            yield color  # arrives: it moved since the last image
            yield color  # still
            if image is images[0]:
                yield color  # seen before

    lines = []
    files = collect(shown(), BOARD, tmp_path / 'live', 40, lines.append)
    assert 20 <= len(files) <= 40 and lines[-1].endswith(': enough')
    assert any('hold the board still' in line for line in lines)
    assert any('seen before' in line for line in lines) and any(
        'no board' in line for line in lines
    )
    result = calibrate(read_views(files, BOARD), BOARD)
    assert furthest_pixel(result.calibration, LENS).mean() < 0.2
    with pytest.raises(ConfigError, match='wanted an empty folder'):
        collect(shown(), BOARD, tmp_path / 'live', 40, lines.append)


def test_a_camera_that_is_silent_ends_the_collecting(tmp_path):
    clock = iter(range(100))
    with pytest.raises(ConfigError, match='images: found none for 10 s'):
        collect(iter([None] * 50), BOARD, tmp_path / 'x', 40, print, now=lambda: float(next(clock)))


def test_the_progress_names_what_is_missing():
    coverage = Coverage(BOARD, SIZE)
    assert coverage.missing()[0].startswith('the board at the ')
    for pose in looking_at_the_board(BOARD, LENS, SIZE, 30, seed=3, tilt=0.0, near=0.4, far=0.42):
        view = projected(LENS, pose, 0.0)
        coverage.take(view), coverage.take(view)
    assert any('tilted away' in text for text in coverage.missing())
    assert 'nearer and further' in coverage.missing()


def test_a_printed_board_is_to_scale_and_found(tmp_path):
    path = tmp_path / 'board.png'
    assert board_command([str(path)]) == 0
    page = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    mm = 25.4 / 300
    assert np.allclose(np.array(page.shape[::-1]) * mm, (297.0, 210.0), atol=0.1)
    view = BOARD.find(cv2.resize(page, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA))
    assert len(view.numbers) == len(BOARD.corners)
    measured = (view.pixels[-1] - view.pixels[0]) * 2 * mm
    np.testing.assert_allclose(measured, [7 * 30.0, 4 * 30.0], atol=0.1)


def test_a_printed_pdf_is_a_page_of_the_paper_with_the_board_at_its_size(tmp_path):
    import matplotlib

    path = tmp_path / 'board.pdf'
    with matplotlib.rc_context({'pdf.compression': 0}):
        assert board_command([str(path)]) == 0
    content = path.read_bytes().decode('latin1')
    point = 72 / 25.4
    page = re.search(r'/MediaBox \[ 0 0 ([\d.]+) ([\d.]+) \]', content).groups()
    np.testing.assert_allclose(np.array(page, float), [297 * point, 210 * point], atol=0.01)
    # The matrix of the image: its width and height in points.
    (placed,) = re.findall(r'([\d.]+) 0 0 -([\d.]+) 0 [\d.]+ cm /I1 Do', ' '.join(content.split()))
    np.testing.assert_allclose(np.array(placed, float), [270 * point, 180 * point], atol=0.01)


def test_a_board_that_does_not_fit_the_paper_is_refused_with_one_that_does(tmp_path, capsys):
    path = tmp_path / 'board.pdf'
    for case, arguments in (
        ('board larger than the paper', [str(path), '--board', '11x8']),
        ('board for no paper', [str(path), '--square', '0.1', '--marker', '0.07']),
        ('board file of another kind', [str(tmp_path / 'board.doc')]),
    ):
        assert board_command(arguments) == 2
        documented('Calibrations of cameras', case, capsys.readouterr().err.strip(), tmp_path)
    assert not path.exists()


def test_another_board_in_the_image_is_named(renderer, images):
    with pytest.raises(OtherBoardError, match='marker 26, and a board of 7x5 has 0 to 16'):
        Board(columns=7, rows=5).find(images[2])
