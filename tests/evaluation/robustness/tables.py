"""Invented pictures and robustness tables, small and seeded."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ferflow.evaluation.robustness.corruptions import CORRUPTIONS, Images


def pictures(count: int = 6, height: int = 48, width: int = 48, channels: int = 1) -> Images:
    """Smooth pictures with edges and some grain, in middle grays: to be damaged like faces."""
    generator = np.random.default_rng(0)
    down = np.linspace(-1, 1, height)[None, :, None, None]
    right = np.linspace(-1, 1, width)[None, None, :, None]
    middle = generator.uniform(-0.3, 0.3, (2, count, 1, 1, channels))
    disc = (down - middle[0]) ** 2 + (right - middle[1]) ** 2 < 0.4
    stripes = np.sin(3 * down + generator.uniform(0, 6, (count, 1, 1, channels)))
    grain = generator.normal(0, 3, (count, height, width, channels))
    gray = np.clip(110 + 50 * disc + 25 * stripes + 15 * right + grain, 0, 255)
    return np.asarray(gray, dtype=np.uint8)


def robustness_table(
    severities: tuple[int, ...] = (1, 3, 5), clean: float = 0.6, lost: float = 0.05, samples: int = 40
) -> pd.DataFrame:
    """A model that loses `lost` of accuracy with each severity, the later corruptions somewhat more."""
    rows = [("none", 0, samples, clean, clean)]
    for place, corruption in enumerate(CORRUPTIONS):
        for severity in severities:
            accuracy = max(clean - lost * severity - 0.01 * place, 0.0)
            rows.append((corruption, severity, samples, accuracy, accuracy))
    return pd.DataFrame(rows, columns=["corruption", "severity", "samples", "accuracy", "macro_f1"])
