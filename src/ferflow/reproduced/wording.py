"""A comparison in words: for the terminal, and as the summary of a CI job."""

from __future__ import annotations

from typing import Final

from tabulate import tabulate

from ferflow.reproduced.check import Findings
from ferflow.reproduced.scores import Pair

_HEADERS: Final = ("model", "accuracy", "now", "macro-F1", "now", "difference", "by chance", "")


def as_text(findings: Findings, base: str) -> str:
    """Return the table of models and the verdict, with every problem in a line."""
    parts = [tabulate(_rows(findings), headers=_HEADERS, disable_numparse=True), _machine(findings)]
    if findings.problems:
        parts.append("\n".join(f"not reproduced: {problem}" for problem in findings.problems))
    return "\n\n".join([*parts, _verdict(findings, base)])


def as_markdown(findings: Findings, base: str) -> str:
    """Return the same as Markdown, verdict first."""
    parts = [f"## {_verdict(findings, base)}"]
    if findings.problems:
        parts.append("\n".join(f"* {problem}" for problem in findings.problems))
    table = tabulate(_rows(findings), headers=_HEADERS, disable_numparse=True, tablefmt="github")
    explained = (
        "Accuracy and macro-F1 are of test, as committed and now. The difference is of the accuracy on "
        "validation and test together, with its 95 % interval, paired by sample; two half-widths of that are "
        "left to chance."
    )
    return "\n\n".join([*parts, _machine(findings), table, explained]) + "\n"


def _verdict(findings: Findings, base: str) -> str:
    if findings.problems:
        return f"The results of {base} are not reproduced"
    if findings.equal == findings.outputs or findings.exact:
        return f"The results of {base} are reproduced to the byte"
    return f"The results of {base} are reproduced, up to the arithmetic of another machine"


def _machine(findings: Findings) -> str:
    if findings.machine:
        kind = "another kind of machine: " + "; ".join(sorted(findings.machine))
    else:
        kind = "the same kind of machine"
    return f"{findings.equal} of {findings.outputs} outputs are equal bytes, on {kind}."


def _rows(findings: Findings) -> list[tuple[str, ...]]:
    return [_row(pair) for pair in findings.pairs]


def _row(pair: Pair) -> tuple[str, ...]:
    difference = pair.difference
    return (
        pair.model,
        f"{pair.committed['accuracy']:.1%}",
        f"{pair.now['accuracy']:.1%}",
        f"{pair.committed['macro_f1']:.3f}",
        f"{pair.now['macro_f1']:.3f}",
        f"{difference.value * 100:+.1f} ({difference.low * 100:+.1f} to {difference.high * 100:+.1f})",
        f"± {pair.allowed * 100:.1f}",
        "equal" if pair.equal else "as expected" if pair.within else "NOT REPRODUCED",
    )
