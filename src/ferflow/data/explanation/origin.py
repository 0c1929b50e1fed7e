"""Where a data set comes from, as the download stage recorded it and as params.yaml states it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ferflow.errors import FerflowError, without_credentials
from ferflow.files import read_json


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a data set comes from.

    Attributes:
        dataset: Its name in params.yaml.
        source: Its archive, folder or address, without credentials.
        sha256: Checksum of what was fetched; None where there is none.
        licence: Its licence as params.yaml states it; None where it is not known.
    """

    dataset: str
    source: str
    sha256: str | None
    licence: str | None


def read_origin(path: Path, dataset: str, licence: str | None) -> Origin:
    """Return the origin of a data set.

    Args:
        path: The JSON file of the download stage: `source`, and `sha256` or null.
        dataset: The data set's name in params.yaml.
        licence: Its licence as params.yaml states it.

    Raises:
        FerflowError: The file is missing or is not such a file.
    """
    content = read_json(path)
    try:
        source, sha256 = content["source"], content["sha256"]
    except (KeyError, TypeError):
        raise FerflowError(f"{path} does not name the source and its sha256: run `dvc repro`.") from None
    return Origin(
        dataset=dataset,
        source=without_credentials(str(source)),
        sha256=None if sha256 is None else str(sha256),
        licence=licence,
    )
