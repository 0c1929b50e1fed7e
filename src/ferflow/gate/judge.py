"""The whole judgement: the work tree's committed files on their own, and against those of the base."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Final

import pandas as pd

from ferflow.errors import FerflowError
from ferflow.gate.boards import Board, Report, board_names, read_board
from ferflow.gate.comparison import compare_models, on_samples
from ferflow.gate.consistency import check_leaderboard, check_metrics
from ferflow.gate.differences import Pair
from ferflow.gate.limits import changed_limits
from ferflow.gate.lock import check_lock, read_stages
from ferflow.gate.refusals import broken_floors, regressions, removed
from ferflow.gate.splits import changes_between, odd_ones_out, truth_of
from ferflow.gate.trees import Commit, WorkTree
from ferflow.gate.verdict import BoardVerdict, Finding, Verdict
from ferflow.params.gate import GateParams
from ferflow.yaml_text import parse_yaml

_TEST: Final = "test"


@dataclass(frozen=True)
class Options:
    """What is asked of the gate beside the limits in params.yaml.

    Args:
        boards: Only these data sets (`sample`) or data sets and budgets (`sample/quick`); None for all.
        allow_removed: Models that may be missing, and data sets with budgets that may.
        allow_new_test_split: Whether the test split may be another one than the base's.
    """

    boards: Collection[str] | None = None
    allow_removed: Collection[str] = ()
    allow_new_test_split: bool = False


def judge(work: WorkTree, base: Commit, base_name: str, limits: GateParams, options: Options) -> Verdict:
    """Return whether the work tree's results may replace those of the base, and why not.

    Args:
        work: The files that are judged.
        base: The files that they are held against.
        base_name: What the base was called by.
        limits: The section `gate` of the work tree's params.yaml.
        options: What else is asked.

    Raises:
        FerflowError: A file cannot be read, or there is nothing to compare with.
    """
    verdict = Verdict(base=base.hash, base_name=base_name)
    loosened, others = changed_limits(_base_limits(base), limits)
    verdict.warnings += [f"this change loosens its own limits: {words}" for words in loosened]
    verdict.notes += [f"limits changed: {words}" for words in others]
    stages, lacking = read_stages(work)
    verdict.findings += check_lock(work, stages, lacking)
    locked = {path for stage in stages.values() for path in stage.outputs}

    before, after = board_names(base), board_names(work)
    if not before:
        raise FerflowError(
            f"the base {base_name} has no reports/…/predictions.parquet to compare with (it is older than "
            "the gate): choose a later base, e.g. --base HEAD."
        )
    if unknown := {*(options.boards or ())} - {part for name in before | after for part in _names_of(name)}:
        raise FerflowError(
            f"there are no results of {', '.join(sorted(unknown))}; "
            f"there are {', '.join(sorted(before | after))}."
        )
    if unknown := {*limits.floors} - after:
        verdict.warnings.append(
            f"gate.floors names {', '.join(sorted(unknown))}, of which there are no results."
        )
    for name in sorted(before | after):
        if options.boards is not None and not {*_names_of(name)} & {*options.boards}:
            continue
        if name not in after:
            verdict.findings += removed(name, name, options.allow_removed)
            verdict.boards.append(BoardVerdict(name))
            continue
        board = read_board(work, name, "work tree")
        old = _board_of_base(base, name, verdict) if name in before else None
        if not any(path.startswith(f"reports/{name}/") for path in locked):
            verdict.notes.append(
                f"{name}: dvc.lock is of other results: of what code these are is not checked."
            )
        _judge_board(verdict, board, old, limits, options)
    return verdict


def _board_of_base(base: Commit, name: str, verdict: Verdict) -> Board:
    side = f"base {base.hash[:7]}"
    old = read_board(base, name, side)
    for message in old.defects.values():
        raise FerflowError(f"{side}: {message.removesuffix('.')}, or choose another base.")
    if old.first not in {old.best, None}:
        verdict.warnings.append(
            f"{name}: the leaderboard of the {side} begins with {old.first}, which is not the best on val: "
            f"the best model is held against {old.best}."
        )
    return old


def _judge_board(
    verdict: Verdict, board: Board, old: Board | None, limits: GateParams, options: Options
) -> None:
    found = BoardVerdict(board.name)
    verdict.boards.append(found)
    findings = verdict.findings
    findings += [Finding("table", f"{board.name} {name}", message) for name, message in board.defects.items()]
    base_reports = old.reports if old else {}
    for report in board.reports.values():
        same = report.name in base_reports and report.content == base_reports[report.name].content
        unchanged = same and report.metrics == base_reports[report.name].metrics
        findings += check_metrics(board.name, report, ends=not unchanged)
        (found.same if same else found.new if report.name not in base_reports else []).append(report.name)
    findings += check_leaderboard(board, old)
    findings += broken_floors(board, limits.floors.get(board.name))
    found.best_names = (old.best if old else None, board.best)

    truth = truth_of(board)
    odd = odd_ones_out(board, truth) if truth is not None else {}
    findings += odd.values()
    if old is None:
        verdict.notes.append(f"{board.name} is new: there is nothing to compare it with.")
        return
    there = {*board.reports, *board.defects}
    found.removed = sorted({*old.reports} - there)
    for name in found.removed:
        findings += removed(name, board.name, {*limits.allow_removed, *options.allow_removed})
    old_truth = truth_of(old)
    if truth is None or old_truth is None:
        return
    _compare(verdict, found, board, old, (old_truth, truth), odd, limits, options)


def _compare(
    verdict: Verdict,
    found: BoardVerdict,
    board: Board,
    old: Board,
    truths: tuple[pd.DataFrame, pd.DataFrame],
    odd: Collection[str],
    limits: GateParams,
    options: Options,
) -> None:
    ids, paired = _samples(verdict, board.name, *truths, limits, options)
    if not ids and paired:
        return
    common = pd.Index(ids) if paired else None
    untold = {name for name, report in old.reports.items() if not report.truth.equals(truths[0])} - {*odd}
    for name in sorted(untold & {*board.reports}):
        verdict.warnings.append(
            f"{board.name} {name}: its table at the base is of other samples: not compared."
        )

    def pair(before: Report, after: Report) -> Pair:
        return Pair(on_samples(before.outcomes[_TEST], common), on_samples(after.outcomes[_TEST], common))

    fit = {name for name in board.reports if name not in odd}
    models = {
        name: pair(old.reports[name], board.reports[name])
        for name in board.reports
        if name in fit and name in old.reports and name not in untold and name not in found.same
    }
    best = None
    before, after = found.best_names
    if before in {*old.reports} - untold and after in fit and before is not None and after is not None:
        a, b = old.reports[before], board.reports[after]
        if a.content != b.content:
            best = (before, after, pair(a, b))
    elif before in untold:
        verdict.warnings.append(f"{board.name}: the best model was not compared with the base's.")
    compared = compare_models(models, best, limits, paired=paired)
    found.compared, found.best, found.noticeable = compared.models, compared.best, compared.noticeable
    for comparison in compared.models:
        verdict.findings += regressions("regression", board.name, comparison)
    if compared.best is not None:
        said = {
            (comparison.model, change.metric)
            for comparison in compared.models
            for change in comparison.changes
            if change.regressed
        }
        verdict.findings += regressions("best", board.name, compared.best, said)


def _samples(
    verdict: Verdict,
    board: str,
    old: pd.DataFrame,
    now: pd.DataFrame,
    limits: GateParams,
    options: Options,
) -> tuple[list[str], bool]:
    """Return the test samples to compare on, and whether in pairs; none in pairs if that is refused."""
    test_changed = False
    for change in changes_between(old, now):
        refused = change.split == _TEST or change.relabelled > 0
        test_changed |= refused
        if not refused or options.allow_new_test_split:
            verdict.warnings.append(f"{board}: {change}")
        else:
            verdict.findings.append(
                Finding(
                    "split",
                    board,
                    f"{change}: scores on other samples or labels do not compare; restore the split, or say "
                    "that it is meant with --allow-new-test-split.",
                )
            )
    if test_changed and not options.allow_new_test_split:
        verdict.warnings.append(f"{board}: the models were not compared, as the samples are others.")
        return [], True
    before, after = (truth.loc[truth["split"] == _TEST, "label"] for truth in (old, now))
    common = before.index.intersection(after.index)
    common = common[(before[common] == after[common]).to_numpy()]
    if not test_changed:
        return list(common), True
    if len(common) >= limits.min_common_samples:
        verdict.warnings.append(
            f"{board}: compared on the {len(common):,} test samples that both sides have."
        )
        return list(common), True
    verdict.warnings.append(
        f"{board}: only {len(common):,} test samples are the same on both sides, so the models are compared "
        f"UNPAIRED, on {len(before):,} and {len(after):,} samples: a split that is easier or harder shows as "
        "a change."
    )
    return [], False


def _base_limits(base: Commit) -> Any:
    if "params.yaml" not in base.paths:
        return None
    content = parse_yaml(base.read("params.yaml"), f"params.yaml (base {base.hash[:7]})")
    return content.get("gate") if isinstance(content, dict) else None


def _names_of(board: str) -> tuple[str, str]:
    return board, board.split("/")[0]
