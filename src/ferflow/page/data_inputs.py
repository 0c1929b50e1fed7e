"""What is known about the data, as the page and the model card show it."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

Count = Annotated[int, Field(ge=0)]


class Read(BaseModel):
    """A part of a file: what the page does not show is passed over, what it shows must be there."""

    model_config = ConfigDict(extra="ignore", frozen=True, allow_inf_nan=False)


class Origin(Read):
    """Where the data come from."""

    dataset: str
    source: str
    sha256: str | None
    licence: str | None


class Balance(Read):
    """The largest and the smallest class of train."""

    largest: str
    smallest: str
    ratio: float | None


class Groups(Read):
    """Copies that stand in two splits."""

    groups: Count
    samples: Count


class Copies(Read):
    """Images that stand in the data more than once."""

    groups: Count
    samples: Count
    redundant: Count
    contradictory: Count
    contradictory_samples: Count
    across: dict[str, Groups]


class Blank(Read):
    """Images on which there is nothing to see."""

    min_pixel_std: float
    samples: Count
    used: Count


class Unused(Read):
    """What did not become a sample for one and the same reason."""

    reason: str
    count: Count


class Data(Read):
    """The content of facts.json that is shown; counts are by label (or reason), then by split."""

    origin: Origin
    samples: Count
    used: Count
    image_size: Count
    declared: dict[str, dict[str, int]]
    as_used: dict[str, dict[str, int]]
    left_out: dict[str, dict[str, int]]
    train_balance: Balance
    copies_declared: Copies
    copies_used: Copies
    blank: Blank
    defects: list[Unused]
    excluded: list[Unused]


class Finding(Read):
    """What an expectation found: a value, or how many of those it looked at."""

    observed: Any = None
    checked: int | None = None
    unexpected: int | None = None


class Expectation(Read):
    """One expectation of the data gate."""

    outcome: Literal["passed", "failed", "skipped"]
    severity: Literal["error", "warning"]
    what: str
    limit: str | None
    threshold: Any
    remedy: str
    finding: Finding | None


class Gate(Read):
    """The content of the data gate's report that is shown."""

    success: bool
    summary: str
    results: list[Expectation]

    @property
    def remarks(self) -> list[Expectation]:
        """The expectations that failed."""
        return [result for result in self.results if result.outcome == "failed"]
