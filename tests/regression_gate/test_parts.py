"""The parts of the gate that have rules of their own."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import numpy as np
import pytest
from scipy.stats import kstest

from ferflow.evaluation.metrics import scores as metrics_of
from ferflow.evaluation.outcomes import Outcomes, join
from ferflow.gate.comparison import compare_models
from ferflow.gate.differences import Pair, adjusted, measure
from ferflow.gate.features import METRICS, NAMES, features, scores
from ferflow.gate.limits import changed_limits
from ferflow.gate.lock import check_lock, read_stages
from ferflow.gate.trees import WorkTree
from ferflow.params.gate import GateParams

from .conftest import Gate
from .projects import SKILLS, Project, answers, truth

LIMITS = GateParams.model_validate(
    {
        "significance": 0.01,
        "max_drop": {**dict.fromkeys(METRICS, 0.01), "class_f1": 0.05, "best": 0.0},
        "floors": {},
        "allow_removed": [],
        "min_common_samples": 100,
    }
)


def _outcomes(skill: float, seed: int, samples: int = 400) -> Outcomes:
    table = answers(truth(samples), skill, seed)
    return join(table, table[["sample_id", "split", "label"]])["test"]


def _problems(project: Project) -> list[str]:
    tree = WorkTree(project.root)
    return [finding.message for finding in check_lock(tree, *read_stages(tree))]


def test_scores_are_those_of_metrics_json() -> None:
    outcomes = _outcomes(1.5, 1)
    expected = metrics_of(outcomes)
    found = dict(zip(NAMES, scores(features(outcomes).sum(axis=0)[None])[0], strict=True))
    for name in METRICS:
        assert found[name] == pytest.approx(expected[name], abs=1e-12)


def test_a_class_that_is_not_there_is_no_regression() -> None:
    base = _outcomes(1.9, 1)
    kept = base.actual != 1

    def without(of: Outcomes) -> Outcomes:
        return Outcomes(of.sample_id[kept], of.actual[kept], of.predicted[kept], of.probabilities[kept])

    pair = Pair(without(base), without(_outcomes(1.9, 2)))
    change = next(
        change
        for change in compare_models({"a": pair}, None, LIMITS).models[0].changes
        if "disgust" in change.metric
    )
    assert (change.base, change.now, change.regressed) == (0, 0, False)


def test_more_comparisons_need_stronger_evidence() -> None:
    pairs = [Pair(_outcomes(1.9, 1), _outcomes(1.8, seed)) for seed in range(2, 6)]
    judged = np.ones(len(NAMES), dtype=bool)
    alone = adjusted(measure(pairs[:1], paired=True), [judged])[0]
    together = adjusted(measure(pairs, paired=True), [judged] * 4)[0]
    assert (together >= alone).all()
    assert (together > alone).any()


def test_p_values_of_equal_models_are_uniform() -> None:
    p_values = []
    judged = np.array([name == "accuracy" for name in NAMES])
    for seed in range(25):
        labels = truth(150, seed)
        tables = [answers(labels, 1.9, 2 * seed + number) for number in (0, 1)]
        pair = Pair(*(join(table, table[["sample_id", "split", "label"]])["test"] for table in tables))
        p_values.append(adjusted(measure([pair], paired=True), [judged])[0][NAMES.index("accuracy")])
    # The test of one in a hundred; such p-values are discrete, and somewhat larger than uniform ones.
    assert kstest(p_values, "uniform").statistic < 0.32
    assert min(p_values) < 0.15
    assert max(p_values) > 0.85


@pytest.mark.parametrize(("points", "refused"), [(0.5, False), (1.5, True)])
def test_a_drop_that_is_no_noise_is_refused_if_it_is_larger_than_allowed(
    points: float, refused: bool
) -> None:
    base = _outcomes(1.9, 1, samples=4000)
    right = np.flatnonzero(base.actual == base.predicted)[: int(40 * points)]
    probabilities = base.probabilities.copy()
    for row in right:
        probabilities[row] = np.roll(probabilities[row], 1)
    now = Outcomes(base.sample_id, base.actual, probabilities.argmax(axis=1), probabilities)
    limits = LIMITS.model_copy(update={"significance": 0.005})
    accuracy = compare_models({"a": Pair(base, now)}, None, limits).models[0].changes[0]
    assert accuracy.metric == "accuracy"
    assert accuracy.difference == pytest.approx(-points / 100)
    assert accuracy.p_value < 0.005
    assert accuracy.regressed is refused


def test_a_drop_that_may_be_noise_is_not_refused_however_large() -> None:
    base = _outcomes(1.9, 1, samples=60)
    now = _outcomes(1.75, 2, samples=60)
    accuracy = compare_models({"a": Pair(base, now)}, None, LIMITS).models[0].changes[0]
    assert accuracy.difference < -0.03
    assert not accuracy.regressed


def test_calibration_is_not_worse_because_accuracy_is_another() -> None:
    """Where much has changed, an exchange of answers says that, and the interval what it means."""
    pair = Pair(_outcomes(1.5, 102, samples=1000), _outcomes(2.6, 5, samples=1000))
    changes = {
        change.metric: change for change in compare_models({"a": pair}, None, LIMITS).models[0].changes
    }
    calibration = changes["calibration_error"]
    assert calibration.difference > LIMITS.max_drop.calibration_error
    assert calibration.p_value < LIMITS.significance
    assert calibration.low < 0
    assert not calibration.regressed


def test_which_class_a_model_near_chance_answers_is_not_judged() -> None:
    outcomes = _outcomes(0.0, 1)

    def always(emotion: int) -> Outcomes:
        probabilities = np.full((len(outcomes.actual), 7), 0.1)
        probabilities[:, emotion] = 0.4
        return Outcomes(outcomes.sample_id, outcomes.actual, probabilities.argmax(axis=1), probabilities)

    compared = compare_models({"a": Pair(always(0), always(3))}, None, LIMITS).models[0]
    assert {change.metric for change in compared.changes} == {
        "accuracy",
        "balanced_accuracy",
        "macro_f1",
        "log_loss",
    }


@pytest.mark.parametrize(
    ("change", "loosened", "other"),
    [
        ({"significance": 0.02}, 0, 1),
        ({"significance": 0.001}, 1, 0),
        ({"floors": {"a/full": {"accuracy": 0.5}}}, 0, 1),
        ({"allow_removed": ["cnn4"]}, 1, 0),
        ({"max_drop": {**LIMITS.max_drop.model_dump(), "best": 0.1}}, 1, 0),
        ({"max_drop": {**LIMITS.max_drop.model_dump(), "accuracy": 0.0}}, 0, 1),
    ],
)
def test_what_is_looser(change: dict[str, Any], loosened: int, other: int) -> None:
    found = changed_limits(LIMITS.model_dump(), GateParams.model_validate(LIMITS.model_dump() | change))
    assert tuple(map(len, found)) == (loosened, other)


def test_folders_are_hashed_as_dvc_does(project: Project) -> None:
    project.write("src/package/b.py", "B = 2\n")
    project.write("src/package/a/c.py", "C = 3\n")
    project.write(".gitignore", "__pycache__/\n")
    project.write("src/package/__pycache__/b.pyc", "junk")
    entries = [
        {"md5": hashlib.md5(content, usedforsecurity=False).hexdigest(), "relpath": path}
        for path, content in (("a/c.py", b"C = 3\n"), ("b.py", b"B = 2\n"))
    ]
    digest = hashlib.md5(json.dumps(entries, sort_keys=True).encode(), usedforsecurity=False).hexdigest()
    for md5, findings in ((f"{digest}.dir", 0), ("0" * 32 + ".dir", 1)):
        lock = {"stages": {"all": {"deps": [{"path": "src/package", "md5": md5}]}}}
        project.write("dvc.lock", json.dumps(lock))
        assert len(_problems(project)) == findings


def test_stages_of_the_pipeline_and_no_others_have_to_be_in_the_lock(project: Project) -> None:
    stale = {"deps": [{"path": "src/gone.py", "md5": "0"}]}
    project.write(
        "dvc.yaml", 'stages: {train: {foreach: "${models}", do: {cmd: train}}, split: {cmd: split}}'
    )

    def messages(stages: dict[str, Any]) -> list[str]:
        project.write("dvc.lock", json.dumps({"stages": stages}))
        return _problems(project)

    current: dict[str, Any] = {"split": {}, **{f"train@{name}": {} for name in SKILLS}}
    assert messages(current | {"train@removed": stale, "removed": stale}) == []
    assert "another content of src/gone.py (train@cnn4)" in messages(current | {"train@cnn4": stale})[0]
    del current["split"], current["train@cnn2_small"]
    assert [message.split(":")[0] for message in messages(current)] == [
        "dvc.lock has no stage train@cnn2_small of dvc.yaml",
        "dvc.lock has no stage split of dvc.yaml",
    ]


def test_a_stage_made_of_what_another_did_not_write_is_found(project: Project) -> None:
    project.write("dvc.yaml", "stages: {train: {cmd: train}, evaluate: {cmd: evaluate}}")
    trained = {"outs": [{"path": "models/cnn4.keras", "md5": "a"}]}
    for md5, problems in (("a", 0), ("b", 1)):
        evaluated = {"deps": [{"path": "models/cnn4.keras", "md5": md5}]}
        project.write("dvc.lock", json.dumps({"stages": {"train": trained, "evaluate": evaluated}}))
        found = _problems(project)
        assert len(found) == problems
    assert "a later stage was made of another models/cnn4.keras (evaluate)" in found[0]


def test_a_typo_in_the_limits_is_explained(project: Project, gate: Gate) -> None:
    project.limits({"max_drop.acuracy": 0.1})
    outcome = gate()
    assert outcome.status == 2
    assert "gate.max_drop.acuracy: unknown key; did you mean 'accuracy'?" in outcome.err
