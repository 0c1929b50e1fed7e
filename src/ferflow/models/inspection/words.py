"""The operations of a network in a few words, as Keras calls them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterator, Sequence
from typing import Any, Final, TypeVar

from keras import layers

from ferflow.models.inspection.graph import Step

_Word = TypeVar("_Word", bound=Hashable)

#: Between the operations of a line.
SEPARATOR: Final = " · "

_SAME_WORD: Final = {"relu": "ReLU", "softmax": "Softmax"}
_KINDS_OF_BLOCKS: Final = {"Add": "residual block", "Concatenate": "branches", "Multiply": "gate"}
_CHANGE_OF_SHAPE: Final = frozenset({"Cropping2D", "Flatten", "Reshape", "Resize", "Resizing"})
_LONGEST_PATTERN: Final = 12  # operations that may be repeated together


def words_for_step(step: Step) -> str:
    """Return one operation with what tells it from others of its kind, e.g. `Conv2D 3×3, 64, relu`."""
    operation = step.operation
    kind = type(operation).__name__
    if isinstance(operation, layers.InputLayer):
        return f"{step.output.name} {words_for_shape(step.output.shape[1:])}"
    if isinstance(operation, layers.Activation):
        name = operation.activation.__name__
        return _SAME_WORD.get(name, name)
    details = ", ".join(_details(operation))
    if kind in _CHANGE_OF_SHAPE:
        details = f"to {words_for_shape(step.output.shape[1:])}"
    return f"{kind} {details}".rstrip()


def words_for_block(steps: Sequence[Step]) -> str:
    """Return how many operations of each kind a block has, e.g. `residual block: 2 Conv2D of 3×3 · Add`."""
    by_kind: dict[str, Counter[str]] = {}
    for step in steps:
        operation = step.operation
        kind = words_for_step(step) if _is_activation(operation) else type(operation).__name__
        by_kind.setdefault(kind, Counter())[_kernel(operation)] += 1
    # Convolutions first: they are the block, and say it in whatever order its branches are computed.
    ordered = sorted(by_kind.items(), key=lambda item: not any(item[1].keys()))
    words = [_of_kind(kind, kernels) for kind, kernels in ordered]
    kinds = [_KINDS_OF_BLOCKS[kind] for kind in reversed(by_kind) if kind in _KINDS_OF_BLOCKS]
    return f"{kinds[0] if kinds else 'block'}: {SEPARATOR.join(words)}"


def words_for_shape(shape: Sequence[int | None]) -> str:
    """Return a shape without its batch axis, e.g. `48 × 48 × 1`; a vector by its length alone."""
    return " × ".join("any" if side is None else f"{side:,}" for side in shape)


def repeated(words: Sequence[_Word]) -> list[tuple[tuple[_Word, ...], int]]:
    """Return `words` as patterns with how often each follows itself, those that save most words first taken.

    `a b a b c` is `[((a, b), 2), ((c,), 1)]`. Written out again, they are `words`.
    """
    found: list[tuple[tuple[_Word, ...], int]] = []
    place = 0
    while place < len(words):
        length, times = max(
            ((length, _times(words, place, length)) for length in range(1, _LONGEST_PATTERN + 1)),
            key=lambda pattern: pattern[0] * (pattern[1] - 1),
        )
        if times == 1:
            length = 1
        found.append((tuple(words[place : place + length]), times))
        place += length * times
    return found


def _times(words: Sequence[Any], start: int, length: int) -> int:
    pattern, times = words[start : start + length], 1
    while words[start + times * length : start + (times + 1) * length] == pattern:
        times += 1
    return times if len(pattern) == length else 1


def _is_activation(operation: Any) -> bool:
    return isinstance(operation, layers.Activation)


def _of_kind(kind: str, kernels: Counter[str]) -> str:
    total = kernels.total()
    count = f"{total} {kind}" if total > 1 else kind
    sizes = [size for size in kernels if size]
    if not sizes:
        return count
    if len(kernels) == 1:
        return f"{count} {'of ' if total > 1 else ''}{sizes[0]}"
    return f"{count} ({', '.join(f'{kernels[size]} of {size}' for size in sizes)})"


def _details(operation: Any) -> Iterator[str]:
    if kernel := _kernel(operation):
        yield kernel
    if pool := getattr(operation, "pool_size", None):
        yield "×".join(map(str, pool))
    for name in ("filters", "units", "rate"):
        value = getattr(operation, name, None)
        if isinstance(value, int | float):
            yield f"{value:,}"
    if kernel and max(operation.strides) > 1:
        yield f"stride {max(operation.strides)}"
    activation = getattr(getattr(operation, "activation", None), "__name__", "linear")
    if activation != "linear":
        yield activation


def _kernel(operation: Any) -> str:
    """Return the size of what a convolution looks at, e.g. `3×3`; nothing for other operations."""
    size = getattr(operation, "kernel_size", None)
    return "×".join(map(str, size)) if size else ""
