"""Whether a secret stands in what was written: plain, encoded, or in a packed file."""

from __future__ import annotations

import base64
import gzip
import io
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

_ZIP: Final = b"PK\x03\x04"
_GZIP: Final = b"\x1f\x8b"


def found_secrets(content: bytes, secrets: Mapping[str, str]) -> list[str]:
    """Return which secrets a content holds, by what they are.

    Args:
        content: Of a file, a table, an output. Archives are looked into.
        secrets: What to look for; values of random letters and digits.
    """
    parts = [content, *_unpacked(content)]
    return [
        name
        for name, secret in secrets.items()
        if any(form in part for form in _forms(secret) for part in parts)
    ]


def files_with_secrets(folder: Path, secrets: Mapping[str, str]) -> dict[str, list[str]]:
    """Return the files of a folder that hold secrets, and which."""
    found = {
        str(file): found_secrets(file.read_bytes(), secrets)
        for file in sorted(folder.rglob("*"))
        if file.is_file() and not file.is_symlink()
    }
    return {file: names for file, names in found.items() if names}


def _forms(secret: str) -> Iterator[bytes]:
    yield secret.encode()
    # As an authorization header has it: behind a name of any length, so at any of three offsets.
    for offset in range(3):
        encoded = base64.b64encode(b"x" * offset + secret.encode())
        yield encoded[4 * (offset > 0) : -4]


def _unpacked(content: bytes) -> Iterator[bytes]:
    if content.startswith(_ZIP):
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            yield from (archive.read(name) for name in archive.namelist())
    elif content.startswith(_GZIP):
        yield gzip.decompress(content)
