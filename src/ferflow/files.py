"""Files and folders that are written whole or not at all."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from ferflow.errors import FerflowError


@contextlib.contextmanager
def atomic_file(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; on success it is flushed to disk and takes its name.

    If the block raises, or the process is killed, `path` is as it was before.

    Args:
        path: The file to write. Its folder is made if it is missing.

    Yields:
        A path that does not exist yet, in the same folder and with the same suffix, so that
        writers that look at the suffix (Keras, matplotlib) behave as if they wrote `path`.

    Raises:
        FerflowError: `path` is a folder, a device or the like.
    """
    if path.exists() and not path.is_file():
        # Renaming would put a file in the place of a device or a folder.
        raise FerflowError(f"{path} is not a regular file; choose another path to write to.")
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.stem}.{os.getpid()}.tmp{path.suffix}")
    try:
        yield temporary
        _flush_to_disk(temporary)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """Yield an empty temporary folder beside `path`; on success it replaces `path` as a whole.

    Args:
        path: The folder to write. What it held before is removed only once the new content is
            complete.

    Yields:
        An empty folder on the same file system.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent))
    try:
        temporary.chmod(0o755)  # mkdtemp makes it private; DVC would keep that mode
        yield temporary
        if path.exists():
            retired = Path(tempfile.mkdtemp(prefix=f".{path.name}.", suffix=".old", dir=path.parent))
            path.rename(retired / path.name)
            temporary.rename(path)
            shutil.rmtree(retired)
        else:
            temporary.rename(path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def write_text(path: Path, text: str) -> None:
    """Write `text` as UTF-8, whole or not at all."""
    with atomic_file(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: Path, value: Any) -> None:
    """Write `value` as indented JSON with a final newline, whole or not at all."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def write_parquet(path: Path, table: pd.DataFrame) -> None:
    """Write `table` as Parquet without its index, whole or not at all."""
    with atomic_file(path) as temporary:
        table.to_parquet(temporary, index=False, compression="zstd")


def write_csv(path: Path, table: pd.DataFrame, *, float_format: str | None = None) -> None:
    """Write `table` as CSV without its index, whole or not at all."""
    with atomic_file(path) as temporary:
        table.to_csv(temporary, index=False, float_format=float_format, lineterminator="\n")


def read_json(path: Path) -> Any:
    """Return the parsed content of a JSON file that an earlier stage wrote.

    Raises:
        FerflowError: The file is missing or is not JSON.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise FerflowError(f"{path} is missing: run `dvc repro` to make it.") from None
    except ValueError as error:
        raise FerflowError(f"{path} is not valid JSON ({error}): delete it and run `dvc repro`.") from None


def read_or_none(path: Path) -> object:
    """Return the content of a JSON file; None if it is not there or cannot be read."""
    try:
        return read_json(path)
    except FerflowError:
        return None


def read_table(path: Path, columns: list[str] | None = None, *, words: Sequence[str] = ()) -> pd.DataFrame:
    """Return a Parquet or CSV table that an earlier stage wrote, by its suffix.

    Args:
        path: The file.
        columns: What is read of it; None for all.
        words: Columns of a CSV that are read as they stand: "NA" is a word there, and "007" no number.

    Raises:
        FerflowError: The file is missing or cannot be read.
    """
    try:
        if path.suffix == ".csv":
            types = dict.fromkeys(words, str)
            return pd.read_csv(path, usecols=columns, dtype=types, keep_default_na=not words)
        return pd.read_parquet(path, columns=columns)
    except FileNotFoundError:
        raise FerflowError(f"{path} is missing: run `dvc repro` to make it.") from None
    except (OSError, ValueError) as error:
        reason = " ".join(str(error).split())  # pandas and Arrow explain on several lines
        raise FerflowError(f"{path} cannot be read ({reason}): delete it and run `dvc repro`.") from None


def sha256_of_file(path: Path) -> str:
    """Return the SHA-256 of a file's bytes as 64 lowercase hexadecimal digits."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def sha256_of_json(value: Any) -> str:
    """Return the SHA-256 of `value`'s canonical JSON: equal values give equal digests."""
    canonical = json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(canonical.encode()).hexdigest()


def _flush_to_disk(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
