"""What a training that was killed goes on from: everything that its next epoch depends on, in one file.

The file is written whole or not at all after every finished epoch. It is named by the fingerprint of the
training, so that what other params, data or code have left behind is never gone on from.
"""

from __future__ import annotations

import json
import re
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Final

import keras
import numpy as np
import numpy.typing as npt

from ferflow.errors import FerflowError
from ferflow.files import atomic_file

Arrays = list[npt.NDArray[Any]]

#: Changes with what the file holds.
_FORMAT: Final = 2
#: The entry that holds everything but the arrays.
_TREE: Final = "tree"
#: The key of what stands for an array there: the number of its entry.
_ARRAY: Final = "array"
_OURS: Final = re.compile(r"\.?[0-9a-f]{64}\..+")


@dataclass(frozen=True, slots=True)
class Progress:
    """The state of a training after an epoch.

    Attributes:
        phase: How many phases have ended.
        epoch: How many epochs of the phase after them have ended.
        history: All rows so far.
        model: Of every variable of the model: weights, statistics, the generators of dropout.
        optimizer: Of every variable of the optimizer: its moments, averages, step and rate. Empty between
            phases, since each begins a new one.
        callbacks: The state of each callback that has one.
        targets: What the phase trains on in the place of labels, if it does: one array.
        seconds: How long all of it took.
    """

    phase: int
    epoch: int
    history: list[Any]
    model: Arrays
    optimizer: Arrays = field(default_factory=list)
    callbacks: list[dict[str, Any]] = field(default_factory=list)
    targets: Arrays = field(default_factory=list)
    seconds: float = 0.0


class Checkpoint:
    """The place of one training's state on disk.

    Args:
        folder: Of one model; belongs to its checkpoints alone. It is made when it is needed.
        fingerprint: Of the training, 64 hexadecimal digits.
    """

    def __init__(self, folder: Path, fingerprint: str) -> None:
        self.folder = folder
        self._fingerprint = fingerprint
        self.file = folder / f"{fingerprint}.npz"

    def features(self, phase: int) -> Path:
        """Return where the features of a phase may be kept until it has ended."""
        return self.folder / f"{self._fingerprint}.phase{phase}.npy"

    def save(self, progress: Progress) -> None:
        """Replace the file by one of this state.

        Raises:
            FerflowError: It cannot be written; the one before is still there.
        """
        arrays: Arrays = []
        state = {each.name: _pack(getattr(progress, each.name), arrays) for each in fields(progress)}
        tree = {"format": _FORMAT, "fingerprint": self._fingerprint, **state}
        entries = {str(number): array for number, array in enumerate(arrays)}
        text = np.frombuffer(json.dumps(tree, allow_nan=False).encode(), dtype=np.uint8)
        try:
            with atomic_file(self.file) as temporary:
                np.savez(temporary, allow_pickle=False, **{_TREE: text, **entries})
        except OSError as error:
            raise FerflowError(
                f"{self.file} cannot be written ({error.strerror or error}): mend that, and `dvc repro` goes "
                "on from the last state that was."
            ) from None

    def load(self) -> Progress | None:
        """Return the state to go on from, if there is one that can be used; otherwise say why not.

        What other trainings of this model, and killed writers, have left in the folder is removed.
        """
        self._remove(keep=self._fingerprint)
        if not self.file.exists():
            return None
        try:
            return self._read()
        except (
            OSError,
            ValueError,
            KeyError,
            TypeError,
            EOFError,
            zipfile.BadZipFile,
            FerflowError,
        ) as error:
            reason = " ".join(str(error).split()) or type(error).__name__
            print(f"train: {self.file} cannot be used ({reason}): starting over", flush=True)
            return None

    def discard(self) -> None:
        """Remove all that is kept: the training is finished and its results are written."""
        self._remove()
        # A folder that holds anything of someone else's stays.
        if self.folder.is_dir() and not any(self.folder.iterdir()):
            self.folder.rmdir()

    def _read(self) -> Progress:
        # Not by its path: NumPy leaves a file open that is no archive.
        with self.file.open("rb") as stream, np.load(stream, allow_pickle=False) as entries:
            tree = json.loads(entries[_TREE].tobytes())
            if (tree.pop("format"), tree.pop("fingerprint")) != (_FORMAT, self._fingerprint):
                raise FerflowError("it belongs to another training")
            return Progress(**_unpack(tree, entries))

    def _remove(self, keep: str | None = None) -> None:
        for file in self.folder.iterdir() if self.folder.is_dir() else ():
            if _OURS.fullmatch(file.name) and not (keep and file.name.startswith(keep)):
                file.unlink(missing_ok=True)


def values_of(variables: Sequence[Any]) -> Arrays:
    """Return the values of variables of Keras."""
    return [keras.ops.convert_to_numpy(variable) for variable in variables]


def assign(variables: Sequence[Any], values: Arrays) -> None:
    """Give variables of Keras the values that `values_of` has returned for them."""
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)


def _pack(value: Any, arrays: Arrays) -> Any:
    """Return `value` with every array in it, at any depth, moved to `arrays`."""
    if isinstance(value, np.ndarray):
        arrays.append(value)
        return {_ARRAY: str(len(arrays) - 1)}
    if isinstance(value, dict):
        return {key: _pack(item, arrays) for key, item in value.items()}
    if isinstance(value, list):
        return [_pack(item, arrays) for item in value]
    return value


def _unpack(value: Any, entries: Any) -> Any:
    if isinstance(value, dict):
        if value.keys() == {_ARRAY}:
            return entries[value[_ARRAY]]
        return {key: _unpack(item, entries) for key, item in value.items()}
    if isinstance(value, list):
        return [_unpack(item, entries) for item in value]
    return value
