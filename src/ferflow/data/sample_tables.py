"""The tables that ingest writes, row by row in flat memory: the samples, and what could not be used."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from ferflow.data.formats import Reject

#: pandas reads these as str, int32 and float32; a usage that no sample declares is still a string.
SAMPLE_SCHEMA: Final = pa.schema(
    [
        pa.field("sample_id", pa.string(), nullable=False),
        pa.field("label", pa.string(), nullable=False),
        pa.field("source", pa.string(), nullable=False),
        pa.field("usage", pa.string(), nullable=True),
        pa.field("sha256", pa.string(), nullable=False),
        pa.field("width", pa.int32(), nullable=False),
        pa.field("height", pa.int32(), nullable=False),
        pa.field("mean", pa.float32(), nullable=False),
        pa.field("std", pa.float32(), nullable=False),
    ]
)
SAMPLE_COLUMNS: Final[tuple[str, ...]] = tuple(SAMPLE_SCHEMA.names)
REJECT_COLUMNS: Final = ("source", "reason", "remedy", "defect")

#: Rows that are held before they are written: enough for a row group that compresses well, few enough that
#: the processes that decode do not wait for it.
_ROWS_HELD: Final = 1 << 11


class SampleWriter:
    """Append rows to a Parquet file of `SAMPLE_SCHEMA`; it is complete once the `with` block has ended.

    Args:
        path: The file to write.

    Attributes:
        count: The number of rows so far.
    """

    def __init__(self, path: Path) -> None:
        self.count = 0
        self._held: list[list[Any]] = [[] for _ in SAMPLE_COLUMNS]
        self._writer = pq.ParquetWriter(path, SAMPLE_SCHEMA, compression="zstd")

    def append(self, columns: list[list[Any]]) -> None:
        """Write rows behind what is there.

        Args:
            columns: Their values, one list for each column of the schema.
        """
        for held, values in zip(self._held, columns, strict=True):
            held.extend(values)
        self.count += len(columns[0])
        if len(self._held[0]) >= _ROWS_HELD:
            self._write_held()

    def _write_held(self) -> None:
        if self._held[0]:
            self._writer.write_table(pa.table(self._held, schema=SAMPLE_SCHEMA))
            self._held = [[] for _ in SAMPLE_COLUMNS]

    def __enter__(self) -> SampleWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self._write_held()
        self._writer.close()


class RejectWriter:
    """Append rejects to a CSV file with `REJECT_COLUMNS`; it is complete once the `with` block has ended.

    Args:
        path: The file to write.

    Attributes:
        count: The number of rejects so far.
        defects: How many of them have something wrong with them.
    """

    def __init__(self, path: Path) -> None:
        self.count = 0
        self.defects = 0
        # A name that is not UTF-8 is shown by its bytes.
        self._stream = path.open("w", encoding="utf-8", errors="backslashreplace", newline="")
        # A name may hold anything, a carriage return as well.
        self._writer = csv.writer(self._stream, lineterminator="\n", quoting=csv.QUOTE_ALL)
        self._writer.writerow(REJECT_COLUMNS)

    def append(self, rejects: Iterable[Reject]) -> None:
        """Write rejects behind those that are there."""
        for reject in rejects:
            self._writer.writerow((reject.source, reject.reason, reject.remedy, reject.defect))
            self.count += 1
            self.defects += reject.defect

    def __enter__(self) -> RejectWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stream.close()
