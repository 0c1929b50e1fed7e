"""The files beside a table that lists images: found by what it calls them, and none lost in silence."""

from __future__ import annotations

import unicodedata
from collections.abc import Container, Iterator
from functools import cached_property
from pathlib import Path

from ferflow.data.formats import Reject
from ferflow.data.formats.listing import find_file, left_out, list_files, set_aside, source_name


class ListedFiles:
    """What lies below a raw folder, listed once.

    Attributes:
        sources: The files, as `source_name` has them, in their order.

    Raises:
        FerflowError: There is no such folder, or one in it cannot be listed.
    """

    def __init__(self, raw: Path) -> None:
        self._raw = raw
        self._names = {source_name(name): name for name in list_files(raw).files}
        self.sources = self._names.keys()

    def find(self, place: str) -> str | None:
        """Return the source of the file at a place below the raw folder, or None if there is none.

        Args:
            place: As a table has it, in either Unicode form.
        """
        source = unicodedata.normalize("NFC", place)
        if source in self._names:
            return source
        if find_file(self._raw, place) is None:
            return None
        # A file system that does not tell cases apart has it under another name.
        return self._in_any_case.get(source.casefold(), source)

    def path(self, source: str) -> Path:
        """Return where the file of a source lies."""
        return self._raw / self._names.get(source, source)

    def not_named(self, table: str, named: Container[str]) -> Iterator[Reject]:
        """Yield every file but the table that it does not name.

        Args:
            table: The table's source.
            named: The sources of the files that its rows name.
        """
        for source in self.sources:
            if source != table and source not in named:
                yield left_out(source, set_aside(source) or f"no usable row of {table} names it")

    @cached_property
    def _in_any_case(self) -> dict[str, str]:
        return {source.casefold(): source for source in self.sources}
