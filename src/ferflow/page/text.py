"""Numbers as people read them: on the page and in the model card alike."""

from __future__ import annotations

from ferflow.evaluation.wording import MINUS, three_digits


def percent(share: float) -> str:
    """Return a share with one decimal, e.g. `78.6%`."""
    return f"{100 * share:.1f}%"


def percent_interval(low: float, high: float) -> str:
    """Return an interval of shares, e.g. `73.9 to 83.2%`."""
    return f"{100 * low:.1f} to {100 * high:.1f}%"


def decimal(value: float) -> str:
    """Return a score with three decimals, e.g. `0.781`."""
    return f"{value:.3f}".replace("-", MINUS)


def decimal_interval(low: float, high: float) -> str:
    """Return an interval of scores, e.g. `0.731 to 0.828`."""
    return f"{decimal(low)} to {decimal(high)}"


def count(number: int) -> str:
    """Return a number with its thousands apart, e.g. `2,733,369`."""
    return f"{number:,}"


def milliseconds(value: float) -> str:
    """Return a time for an image, e.g. `3.21 ms`."""
    return f"{three_digits(value)} ms"


def duration(seconds: float) -> str:
    """Return a time that people wait, e.g. `48 s`, `7 min` or `2 h 05 min`."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60:02d} min"


def p_value(value: float) -> str:
    """Return a p-value with its relation, e.g. `= 0.012` or `< 0.001`."""
    return "< 0.001" if value < 0.001 else f"= {value:.3f}"


def plural(number: int, thing: str) -> str:
    """Return a number of things, e.g. `1 image` or `1,234 images`."""
    return f"{number:,} {thing}{'' if number == 1 else 's'}"


def listed(words: list[str], last: str = "and") -> str:
    """Return words as people list them, e.g. `a, b and c`."""
    return f" {last} ".join([*([", ".join(words[:-1])] if words[1:] else []), words[-1]]) if words else "none"


def spoken(name: str) -> str:
    """Return a name of a key as words, e.g. `eyes_covered` as `eyes covered`."""
    return "JPEG" if name == "jpeg" else name.replace("_", " ")
