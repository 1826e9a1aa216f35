# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""`ros2 run vla_camera board`: the calibration board to print, to scale."""

import sys
from pathlib import Path

from matplotlib.figure import Figure

from vla_camera.calibration.board import Board, add_board_options
from vla_common import terminal
from vla_common.errors import ConfigError

PAPERS = {
    'a4': (297.0, 210.0),
    'a3': (420.0, 297.0),
    'a2': (594.0, 420.0),
    'letter': (279.4, 215.9),
}
"""Width and height, mm, landscape."""
EDGE = 5.0  # mm that printers leave white
MM_PER_INCH = 25.4
DPI = 300
BAR = 100.0  # mm, to check the print with a ruler


def print_board(path: Path, board: Board, paper: str) -> None:
    """Write the page as PDF or PNG, by the name's ending. Raises ConfigError."""
    if path.suffix.lower() not in ('.pdf', '.png'):
        raise ConfigError('arguments', 'FILE', str(path), 'a name that ends in .pdf or .png')
    width, height = PAPERS[paper]
    board_size = tuple(1000.0 * side for side in board.size)
    # A white frame of a quarter of a square, and the caption below, belong to the board.
    frame = 1000.0 * board.square / 4.0
    if not _fits(board_size, frame, PAPERS[paper]):
        fits = [name for name, size in PAPERS.items() if _fits(board_size, frame, size)]
        found = f'{paper}, {width:g} x {height:g} mm, with a board of {_text(board_size)} mm'
        wanted = f'--paper {" or ".join(fits)}' if fits else 'a smaller board'
        raise ConfigError('arguments', '--paper', found, wanted)
    figure = Figure(figsize=(width / MM_PER_INCH, height / MM_PER_INCH))
    left, bottom = (width - board_size[0]) / 2.0, (height - board_size[1]) / 2.0
    place = (left / width, bottom / height, board_size[0] / width, board_size[1] / height)
    axes = figure.add_axes(place)
    axes.imshow(board.image(200), cmap='gray', interpolation='none', aspect='auto')
    axes.set_axis_off()
    low = (EDGE + 1.0) / height
    figure.text(left / width, low, f'{board}. Print at 100 %; the bar is {BAR:g} mm.', fontsize=7)
    bar = figure.add_axes((1.0 - (left + BAR) / width, low, BAR / width, 1.0 / height))
    bar.set_facecolor('black')
    bar.set(xticks=[], yticks=[])
    bar.spines[:].set_visible(False)
    figure.savefig(path, dpi=DPI)


def _fits(board: tuple[float, ...], frame: float, paper: tuple[float, float]) -> bool:
    return board[0] + 2 * EDGE <= paper[0] and board[1] + 2 * (EDGE + frame) <= paper[1]


def _text(size: tuple[float, ...]) -> str:
    return ' x '.join(f'{side:g}' for side in size)


def _command(arguments: list[str] | None) -> int:
    parser = terminal.parser(
        'vla_camera board',
        'Write a ChArUco board to print. Glue it to something flat, and measure its squares.',
        'example:\n  ros2 run vla_camera board board.pdf',
    )
    parser.add_argument('file', type=Path, metavar='FILE', help='…pdf or …png')
    parser.add_argument('--paper', choices=PAPERS, default='a4', help='(default: %(default)s)')
    add_board_options(parser)
    options = parser.parse_args(arguments)
    board = Board.from_options(options)
    print_board(options.file, board, options.paper)
    print(f'{options.file}: {board}; print it at 100 % on {options.paper}')
    return 0


def main(arguments: list[str] | None = None) -> int:
    return terminal.guarded(_command, arguments)


if __name__ == '__main__':
    sys.exit(main())
