"""The columns of the tables that earlier stages wrote: what must hold for anything else to be asked."""

from __future__ import annotations

from typing import Final

from ferflow.data.gate.check import Check, make_again

#: The columns of the tables that earlier stages wrote, in order, each with the types that it may have.
COLUMN_TYPES: Final[dict[str, dict[str, list[str]]]] = {
    "samples": {
        "sample_id": ["str"],
        "label": ["str"],
        "source": ["str"],
        "usage": ["str"],
        "sha256": ["str"],
        "width": ["int32", "int64"],
        "height": ["int32", "int64"],
        "mean": ["float32", "float64"],
        "std": ["float32", "float64"],
    },
    "splits": {"sample_id": ["str"], "split": ["str"], "reason": ["str"]},
    "rejects": {"source": ["str"], "reason": ["str"], "remedy": ["str"], "defect": ["bool"]},
}


def schema_checks() -> list[Check]:
    """Return the expectations about columns and types, table by table."""
    import great_expectations.expectations as gxe

    return [
        check
        for table, columns in COLUMN_TYPES.items()
        for check in (
            Check(
                table,
                f"the columns of {table} are {', '.join(columns)}",
                gxe.ExpectTableColumnsToMatchOrderedList(column_list=list(columns)),
                make_again(table),
            ),
            *(
                Check(
                    table,
                    f"{table}: {column} holds {' or '.join(types)}",
                    gxe.ExpectColumnValuesToBeInTypeList(column=column, type_list=types),
                    make_again(table),
                )
                for column, types in columns.items()
            ),
        )
    ]
