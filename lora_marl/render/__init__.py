"""Pictures of environments: as text, as an array without a display, or in a window.

Pictures need matplotlib (the extra `scripts`), which is imported only when one is drawn.
"""

from __future__ import annotations

import sys
from itertools import count
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

SIDE_INCH, DOTS_PER_INCH = 6.0, 100


class Frame(Protocol):
    """A snapshot of one replica that can be shown."""

    def text(self) -> str:
        """The snapshot as text."""

    def draw(self, figure: Any) -> None:
        """Draw the snapshot on a matplotlib figure."""


def rgb_array(frame: Frame) -> NDArray[np.uint8]:
    """A frame as a picture. uint8 `[H, W, 3]`

    Raises:
        ModuleNotFoundError: matplotlib is missing.
    """
    canvas_type, figure_type = _matplotlib()
    figure = figure_type(figsize=(SIDE_INCH, SIDE_INCH), dpi=DOTS_PER_INCH, layout="constrained")
    canvas = canvas_type(figure)
    frame.draw(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba(), np.uint8)[..., :3].copy()


class Window:
    """The window of one environment; a copied or unpickled environment gets a window of its own."""

    _numbers = count(1)

    def __init__(self) -> None:
        self._name = f"lora_marl {next(self._numbers)}"

    def __reduce__(self) -> tuple[type[Window], tuple[()]]:
        return Window, ()

    def show(self, frame: Frame) -> None:
        """Show a frame.

        Raises:
            ModuleNotFoundError: matplotlib is missing.
            ValueError: matplotlib's backend opens no windows, for example because there is no display.
        """
        picture = rgb_array(frame)
        from matplotlib import get_backend, pyplot

        backend = get_backend()
        try:
            figure = pyplot.figure(self._name, figsize=(SIDE_INCH, SIDE_INCH)) if _opens_windows(backend) else None
        except ImportError:  # raised by a backend that needs a display
            figure = None
        if figure is None:
            raise ValueError(
                f"render_mode: 'human' needs a display, and matplotlib's backend {backend!r} opens no window here; "
                "allowed are 'rgb_array' and 'ansi', or a display and a backend for it, such as MPLBACKEND=tkagg"
            )
        figure.clear()
        figure.figimage(picture)
        pyplot.pause(0.001)

    def close(self) -> None:
        """Close the window, if it is open."""
        if "matplotlib.pyplot" in sys.modules:
            sys.modules["matplotlib.pyplot"].close(self._name)


def _matplotlib() -> tuple[Any, Any]:
    """Matplotlib's canvas and figure types, or an error that says how to install it."""
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError("pictures need matplotlib: pip install 'lora_marl[scripts]'") from error
    return FigureCanvasAgg, Figure


def _opens_windows(backend: str) -> bool:
    """Whether a matplotlib backend is interactive."""
    from matplotlib.backends.registry import BackendFilter, backend_registry

    return backend.lower() in {name.lower() for name in backend_registry.list_builtin(BackendFilter.INTERACTIVE)}
