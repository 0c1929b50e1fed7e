"""The grid of a model's trials: every combination of the values of some keys of its recipe."""

from __future__ import annotations

import copy
import itertools
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from ferflow.errors import FerflowError
from ferflow.params import ModelParams, Params, Recipe


@dataclass(frozen=True, slots=True)
class Trial:
    """One combination.

    Attributes:
        values: What is tried, by key of the recipe, e.g. `{"options.dropout": 0.3}`.
        overrides: The same as `key.of.params.yaml=value`.
        recipe: The complete recipe with these values.
    """

    values: Mapping[str, Any]
    overrides: tuple[str, ...]
    recipe: Recipe

    def __str__(self) -> str:
        """Return the values in words."""
        return ", ".join(f"{key} {as_word(value)}" for key, value in self.values.items())


def grid(params: Params, model: str, settings: Sequence[str]) -> list[Trial]:
    """Return all combinations of the settings, the last one varying fastest, each of them once.

    Args:
        params: The content of params.yaml.
        model: A name under `models`.
        settings: `key=value,value,...` each. The key is one of the model's recipe, as MLflow shows it
            (`batch_size`, `options.dropout`); whether it stands in `recipe` or under the budget is found
            out. The values are numbers, words, true, false or null.

    Raises:
        FerflowError: There is no such model or key, a setting is not of this form, or a combination is
            not a valid recipe.
    """
    params.recipe(model)
    entry = params.models[model]
    choices = dict(_parse(setting) for setting in settings)
    places = {key: _place(entry, params.budget, model, key) for key in choices}
    trials: list[Trial] = []
    for combination in itertools.product(*choices.values()):
        values = dict(zip(choices, combination, strict=True))
        recipe = _recipe(params, model, places, values)
        if not any(recipe == trial.recipe for trial in trials):
            overrides = (
                f"models.{model}.{places[key]}.{key}={as_word(value)}" for key, value in values.items()
            )
            trials.append(Trial(values, tuple(overrides), recipe))
    return trials


def _parse(setting: str) -> tuple[str, list[Any]]:
    key, equals, listed = setting.partition("=")
    try:
        values = [YAML(typ="safe", pure=True).load(word) for word in listed.split(",")]
    except YAMLError:
        values = [{}]
    if not key or not equals or not all(listed.split(",")) or any(isinstance(v, dict | list) for v in values):
        raise FerflowError(
            f"'{setting}' is not a key with the numbers or words to try, e.g. batch_size=16,32."
        )
    return key, values


def _place(entry: ModelParams, budget: str, model: str, key: str) -> str:
    """Return the part of a model's entry that a key stands in: `recipe` or the budget."""
    for part in ("recipe", budget):
        if key in dict(_flatten(getattr(entry, part))):
            return part
    known = sorted(key for part in ("recipe", budget) for key, _ in _flatten(getattr(entry, part)))
    raise FerflowError(
        f"params.yaml: models.{model} ({budget} budget) has no value '{key}' to vary; there are "
        f"{', '.join(known)}."
    )


def _flatten(part: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in part.items():
        if isinstance(value, Mapping):
            yield from _flatten(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _recipe(params: Params, model: str, places: Mapping[str, str], values: Mapping[str, Any]) -> Recipe:
    entry = params.models[model]
    parts = {part: copy.deepcopy(getattr(entry, part)) for part in places.values()}
    for key, value in values.items():
        *parents, last = key.split(".")
        node = parts[places[key]]
        for parent in parents:
            node = node[parent]
        node[last] = value
    changed = params.model_copy(update={"models": {model: entry.model_copy(update=parts)}})
    return changed.recipe(model)


def as_word(value: Any) -> str:
    """Return a value as it is written in YAML."""
    return value if isinstance(value, str) else json.dumps(value)
