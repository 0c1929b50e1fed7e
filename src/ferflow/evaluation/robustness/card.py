"""A drawn test card, on which damage can be shown without showing anybody's face."""

from __future__ import annotations

import numpy as np

from ferflow.evaluation.robustness.corruptions import Images

_SIDE = 48  # pixels, as FER-2013's faces: what is a pixel of theirs is one here
_RADIUS = 17.5


def drawn_card() -> Images:
    """Return one image, uint8 of shape (1, 48, 48, 1): a striped disc with a cross, on a grid."""
    places = np.arange(_SIDE) - (_SIDE - 1) / 2
    down, right = places[:, None], places[None, :]
    inside = np.hypot(down, right) < _RADIUS
    card = np.broadcast_to(np.linspace(60, 170, _SIDE)[None, :], (_SIDE, _SIDE)).copy()
    in_grid = np.arange(_SIDE) % 8 == 4
    card[in_grid[:, None] | in_grid[None, :]] += 50
    card[inside] = 160
    stripes = (np.arange(_SIDE) // 3 % 2 == 0)[:, None]
    card[inside & stripes & (down > 0)] = 90
    card[inside & ((np.abs(down) < 1) | (np.abs(right) < 1))] = 25
    card[np.abs(np.hypot(down, right) - _RADIUS) < 1.2] = 25
    return np.clip(np.rint(card), 0, 255).astype(np.uint8)[None, :, :, None]
