"""A network in a dozen lines: its operations grouped into stages by the size of what they give."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final

import keras
from keras import layers

from ferflow.models.inspection.cost import flops_of_step
from ferflow.models.inspection.graph import Step, all_steps, bottlenecks, steps_of
from ferflow.models.inspection.words import SEPARATOR, repeated, words_for_block, words_for_step

_PADDING: Final = layers.ZeroPadding2D
_POOLINGS: Final = (layers.MaxPooling2D, layers.AveragePooling2D)
_ACTIVATIONS: Final = (layers.Activation, layers.ReLU)


@dataclass(slots=True)
class Stage:
    """Operations in a row whose feature maps have one size, or that lead to one vector.

    Attributes:
        shape: Of what the stage gives: (H, W, C) or (units,).
        lines: Its operations in words; each residual block or group of branches is a line of its own.
        parameters: Number of its weights.
        flops: Operations of one image as `cost.flops` counts them; None if a layer cannot be counted.
        network: The nested network that it begins in, by its name; None if it is the model itself.
    """

    shape: tuple[int, ...]
    lines: list[str]
    parameters: int
    flops: int | None
    network: str | None


@dataclass(slots=True)
class _Block:
    """The steps from one bottleneck to the next."""

    steps: list[Step]
    network: str | None
    side: tuple[int, int] | None = field(init=False)
    words: str = field(init=False)

    def __post_init__(self) -> None:
        self.side = self.steps[-1].side
        self.words = words_for_block(self.steps) if len(self.steps) > 1 else words_for_step(self.steps[0])

    @property
    def parameters(self) -> int:
        return sum(getattr(step.operation, "count_params", int)() for step in self.steps)

    @property
    def flops(self) -> int | None:
        inner = (all_steps(step.operation) if step.is_network else [step] for step in self.steps)
        return _sum(flops_of_step(step) for steps in inner for step in steps)

    def is_only(self, kinds: type | tuple[type, ...]) -> bool:
        return len(self.steps) == 1 and isinstance(self.steps[0].operation, kinds)


def stages_of(model: keras.Model) -> list[Stage]:
    """Return the stages of a functional model, from the image to the probabilities.

    The first stage is the image with its preprocessing. A stage of feature maps ends where their size
    changes, padding apart; a stage of vectors has one dense layer.

    Args:
        model: A functional model of fixed image size.
    """
    blocks = _with_activations(_blocks(model))
    for block, following in reversed([*pairwise(blocks)]):
        if block.is_only(_PADDING):
            block.side = following.side
    groups: list[list[_Block]] = []
    for block in blocks:
        if groups and not _begins(block, groups):
            groups[-1].append(block)
        else:
            groups.append([block])
    return [_stage(group) for group in groups]


def _blocks(model: keras.Model, network: str | None = None) -> Iterator[_Block]:
    """Yield the blocks, those of a nested network in its place."""
    steps = steps_of(model)
    start = 0
    for place in bottlenecks(steps):
        block, start = steps[start : place + 1], place + 1
        if len(block) == 1 and block[0].is_network:
            yield from _blocks(block[0].operation, network or block[0].operation.name)
        elif not (network and isinstance(block[0].operation, layers.InputLayer)):
            yield _Block(block, network)


def _with_activations(blocks: Iterable[_Block]) -> list[_Block]:
    """Return the blocks, the activation behind a sum or behind joined branches as a part of their block."""
    found: list[_Block] = []
    for block in blocks:
        if found and len(found[-1].steps) > 1 and block.is_only(_ACTIVATIONS):
            found[-1] = _Block([*found[-1].steps, *block.steps], block.network)
        else:
            found.append(block)
    return found


def _begins(block: _Block, groups: list[list[_Block]]) -> bool:
    """Return whether a stage begins with `block`, after those in `groups`."""
    present = groups[-1]
    if len(groups) == 1:
        # Preprocessing ends where something is learnt, or prepared to be.
        return bool(block.parameters) or block.side is None or block.is_only((*_POOLINGS, _PADDING))
    if block.side is None and present[-1].side is None:
        return block.is_only(layers.Dense) and any(other.is_only(layers.Dense) for other in present)
    return block.side != present[-1].side


def _stage(blocks: Sequence[_Block]) -> Stage:
    lines: list[str] = []
    goes_on = False
    for words, times in repeated([block.words for block in blocks]):
        text = SEPARATOR.join(words)
        if times > 1:
            text = f"{times} × " + (f"({text})" if len(words) > 1 else text)
        of_blocks = ":" in text
        if goes_on and not of_blocks:
            lines[-1] += SEPARATOR + text
        else:
            lines.append(text)
        goes_on = not of_blocks
    return Stage(
        shape=tuple(blocks[-1].steps[-1].output.shape[1:]),
        lines=lines,
        parameters=sum(block.parameters for block in blocks),
        flops=_sum(block.flops for block in blocks),
        network=blocks[0].network,
    )


def _sum(counts: Iterable[int | None]) -> int | None:
    known = [*counts]
    return None if None in known else sum(count or 0 for count in known)
