"""The model that was evaluated: one network or an ensemble of several, over its views of an image."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import keras

from ferflow.models.ensemble import ensemble
from ferflow.models.saving import load_model
from ferflow.models.views import averaged_over_views


def load_networks(folder: Path, names: Iterable[str]) -> dict[str, keras.Model]:
    """Return trained networks by their names.

    Args:
        folder: Holds `<name>/model.keras` of each.
        names: Their names in params.yaml.

    Raises:
        FerflowError: A file is missing or is not a Keras model.
    """
    return {name: load_model(folder / name / "model.keras") for name in names}


def load_evaluated(
    folder: Path, name: str, members: Mapping[str, float] | None, *, horizontal_flip: bool, shift: int
) -> keras.Model:
    """Return the one model that gives the probabilities which a report is about.

    Args:
        folder: Holds the trained networks, as `load_networks` reads them.
        name: The name of the model or of the ensemble.
        members: Of an ensemble, its members and their weights.
        horizontal_flip: As of `averaged_over_views`.
        shift: As of `averaged_over_views`.

    Raises:
        FerflowError: A file is missing or is not a Keras model.
    """
    networks = load_networks(folder, members or [name])
    whole = ensemble(networks, members, name=name) if members else networks[name]
    return averaged_over_views(whole, horizontal_flip=horizontal_flip, shift=shift)
