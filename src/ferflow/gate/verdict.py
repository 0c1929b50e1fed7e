"""What the gate has found, before it is put into words."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, Literal

Kind = Literal["regression", "best", "floor", "removed", "split", "table", "metrics", "leaderboard", "lock"]


@dataclass(frozen=True)
class Finding:
    """One reason why the gate does not pass.

    Args:
        kind: What sort of reason.
        where: `<data set>/<budget>`, with the model where it is of one; or a file.
        message: What is wrong and what to do, in one line.
    """

    kind: Kind
    where: str
    message: str


@dataclass(frozen=True)
class Change:
    """A score at the base and now.

    Args:
        metric: `accuracy`, …; `f1 of <emotion>` for a class.
        base: Its value at the base, on the samples that both sides have.
        now: Its value in the work tree, on the same.
        low: Lower end of the 95 % interval of the difference, now less base.
        high: Its upper end.
        p_value: Of "now is not worse", adjusted for all that is compared in the family.
        allowed: How much worse it may become, 0 or more.
        regressed: Whether it is worse by more than allowed, and that is no noise.
    """

    metric: str
    base: float
    now: float
    low: float
    high: float
    p_value: float
    allowed: float
    regressed: bool

    @property
    def difference(self) -> float:
        """Now less base."""
        return self.now - self.base


@dataclass(frozen=True)
class Comparison:
    """A model, or the best model of either side, against the base.

    Args:
        model: Its name; of the best, the name in the work tree.
        base_model: What it is compared with: the same name, but for the best.
        samples: How many test samples were compared.
        paired: Whether they are the same on both sides.
        changes: Of the metrics, and of the classes.
    """

    model: str
    base_model: str
    samples: int
    paired: bool
    changes: tuple[Change, ...]


@dataclass
class BoardVerdict:
    """What was found in one data set and budget.

    Args:
        name: `<data set>/<budget>`.
        same: Models whose predictions are the base's, to the byte.
        new: Models that the base does not have.
        removed: Models that the work tree does not have.
        compared: The changed models.
        best: The best models of both sides, where they or their predictions differ.
        best_names: The best model of the base and of the work tree; None where there is none.
        noticeable: By how much accuracy would have to drop for it to be told from noise; None if nothing
            was compared.
    """

    name: str
    same: list[str] = field(default_factory=list)
    new: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    compared: list[Comparison] = field(default_factory=list)
    best: Comparison | None = None
    best_names: tuple[str | None, str | None] = (None, None)
    noticeable: float | None = None


@dataclass
class Verdict:
    """The outcome of the gate.

    Args:
        base: The hash of the base.
        base_name: What it was called by.
        findings: Why it does not pass; none if it passes.
        warnings: What a reviewer must see, though it stops nothing.
        notes: What else is worth knowing.
        boards: By data set and budget.
    """

    base: str
    base_name: str
    findings: list[Finding] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    boards: list[BoardVerdict] = field(default_factory=list)

    @property
    def passed(self) -> bool:
        """Whether nothing stops the change."""
        return not self.findings

    def as_dict(self) -> dict[str, Any]:
        """Return it as plain values, for JSON."""
        return {"passed": self.passed, **asdict(self)}
