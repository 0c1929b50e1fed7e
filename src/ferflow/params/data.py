"""The parts of params.yaml about data: where they come from, how they are read, judged and split."""

from __future__ import annotations

import re
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from ferflow.labels import EMOTIONS, LabelNames, parse_label
from ferflow.params.base import Strict

#: The modules of `ferflow.data.formats`; `auto` asks each whether it knows the folder.
Format = Literal["auto", "class_folders", "fer2013_folders", "fer2013_csv", "expw", "table"]

#: Options of a layout that belong to some formats only.
_FORMATS_WITH_OPTION: Final = {
    "file": ("fer2013_csv", "table"),
    "columns": ("table",),
    "min_box_confidence": ("expw",),
}


class ColumnParams(Strict):
    """The names of the columns of a table that lists images."""

    path: str
    label: str
    split: str | None = None


def _words(value: Any) -> Any:
    """Let a class be called by a number, which YAML does not read as a word."""
    if isinstance(value, dict):
        return {str(key) if isinstance(key, int) else key: emotion for key, emotion in value.items()}
    return (
        [str(item) if isinstance(item, int) else item for item in value] if isinstance(value, list) else value
    )


class LayoutParams(Strict):
    """How a data set is laid out, and what it calls its classes.

    Attributes:
        format: The module of `ferflow.data.formats` that reads it, or "auto".
        file: The CSV file inside it, where there are several.
        columns: The names of a table's columns; None to recognise the usual ones.
        min_box_confidence: Faces below it are left out, in the unit of the list of boxes (ExpW: 0 to 100).
        aliases: Words for classes, each with the emotion that it means.
        drop: Classes that are left out on purpose.
    """

    format: Format = "auto"
    file: str | None = None
    columns: ColumnParams | None = None
    min_box_confidence: Annotated[float, Field(ge=0)] | None = None
    aliases: Annotated[dict[str, str], BeforeValidator(_words)] = Field(default_factory=dict)
    drop: Annotated[list[str], BeforeValidator(_words)] = Field(default_factory=list)

    @model_validator(mode="after")
    def _options_fit(self) -> LayoutParams:
        for option, formats in _FORMATS_WITH_OPTION.items():
            if getattr(self, option) is not None and self.format not in formats:
                raise ValueError(
                    f"`{option}` says nothing about the format '{self.format}'; "
                    f"it belongs to {' and '.join(formats)}"
                )
        for alias, meaning in self.aliases.items():
            if parse_label(meaning) is None:
                raise ValueError(f"aliases: '{alias}' cannot mean '{meaning}', none of {', '.join(EMOTIONS)}")
        names = LabelNames(self.aliases)
        for dropped in self.drop:
            if (emotion := names.parse(dropped)) is not None:
                raise ValueError(f"drop: '{dropped}' means {emotion}, one of the seven emotions")
        return self

    @property
    def label_names(self) -> LabelNames:
        """What the data set calls its classes."""
        return LabelNames(self.aliases, frozenset(self.drop))


def _checksum(value: str) -> str:
    if not re.fullmatch("[0-9a-f]{64}", value):
        raise ValueError(f"a SHA-256 has 64 lowercase hexadecimal digits (found {value!r})")
    return value


class DatasetParams(Strict):
    """Where a data set comes from, how it is read, and under which name its champion is registered."""

    source: Annotated[str, Field(min_length=1)]
    sha256: Annotated[str, AfterValidator(_checksum)] | None
    licence: str | None
    layout: LayoutParams
    registered_model: Annotated[str, Field(min_length=1)]


class IngestParams(Strict):
    """The one form in which every image is stored."""

    image_size: Annotated[int, Field(ge=16, le=1024)]


class Limit(Strict):
    """A limit of the data gate, and what happens beyond it: an `error` stops the run."""

    limit: Annotated[float, Field(ge=0)]
    severity: Literal["error", "warning"] = "error"


def _bare_limit(value: Any) -> Any:
    """Let a bare number stand for a limit that stops the run."""
    return value if isinstance(value, dict | Limit) else {"limit": value}


def _at_most_all(value: Limit) -> Limit:
    if value.limit > 1:
        raise ValueError(f"a fraction is at most 1 (found {value.limit})")
    return value


AnyLimit = Annotated[Limit, BeforeValidator(_bare_limit)]
FractionLimit = Annotated[AnyLimit, AfterValidator(_at_most_all)]


class ValidateParams(Strict):
    """Limits of the data gate."""

    max_reject_fraction: FractionLimit
    min_samples: AnyLimit
    min_samples_per_label: AnyLimit
    min_image_size: Annotated[int, Field(ge=1)]
    max_small_fraction: FractionLimit
    min_pixel_std: Annotated[float, Field(ge=0)]
    max_blank_fraction: FractionLimit
    max_duplicate_fraction: FractionLimit
    max_contradictory_fraction: FractionLimit
    max_leaked_samples: AnyLimit
    min_label_signal: AnyLimit
    max_brightness_drift: AnyLimit
    max_class_ratio: AnyLimit


class SplitParams(Strict):
    """What is done about copies, and the shares that are carved where the source declares no split."""

    duplicates: Literal["clean", "keep"]
    val_fraction: Annotated[float, Field(gt=0, lt=0.5)]
    test_fraction: Annotated[float, Field(gt=0, lt=0.5)]
