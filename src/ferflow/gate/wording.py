"""Numbers of the gate in words."""

from __future__ import annotations

from typing import Final

from ferflow.gate.verdict import Change, Comparison

_PERCENT: Final = {"accuracy", "balanced_accuracy"}
_RISES: Final = {"log_loss", "calibration_error"}
_MINUS: Final = "\N{MINUS SIGN}"


def described(change: Change, comparison: Comparison) -> str:
    """Return a change as one sentence: from, to, by how much, its interval, of how many samples."""
    side = "+" if change.metric in _RISES else _MINUS
    unit = " points" if change.metric in _PERCENT else ""
    allowed = f"{side}{100 * change.allowed:.1f}" if unit else f"{side}{change.allowed:.3f}"
    how = "" if comparison.paired else ", unpaired"
    difference = f"{signed(change.metric, change.difference)}{unit}"
    return (
        f"{named(change.metric)} {value(change.metric, change.base)} → {value(change.metric, change.now)}: "
        f"{difference} (95 % {interval(change)}, p = {change.p_value:.2g}) on {comparison.samples:,} "
        f"test samples{how}; allowed is {allowed}"
    )


def named(metric: str) -> str:
    """Return a metric's name for people."""
    return metric.replace("f1", "F1").replace("_", " ").replace("macro F1", "macro-F1")


def value(metric: str, score: float) -> str:
    """Return a score: a share in per cent, others with three digits."""
    return f"{100 * score:.1f} %" if metric in _PERCENT else f"{score:.3f}"


def signed(metric: str, difference: float) -> str:
    """Return a difference with its sign: of shares in points, others with three digits."""
    scaled, digits = (100 * difference, 1) if metric in _PERCENT else (difference, 3)
    return f"{scaled:+.{digits}f}".replace("-", _MINUS)


def interval(change: Change) -> str:
    """Return the interval of a change's difference."""
    return f"{signed(change.metric, change.low)} to {signed(change.metric, change.high)}"
