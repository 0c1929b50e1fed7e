"""Everything that must not be merged is refused, with the reason."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ferflow.evaluation.outcomes import PROBABILITIES

from .conftest import Gate
from .projects import SKILLS, Project, answers, truth, with_probabilities, wrong_answers

Plant = Callable[[Project], None]

MODEL = "cnn2_small"  # the second best


def _right_on_test(table: pd.DataFrame) -> pd.Series:
    return (table["split"] == "test") & (table["label"] == table["predicted"])


def _class_collapses(project: Project) -> None:
    project.retrain(
        MODEL, lambda table: wrong_answers(table, _right_on_test(table) & (table["label"] == "fear"))
    )


def _two_points(project: Project) -> None:
    def change(table: pd.DataFrame) -> pd.DataFrame:
        right = _right_on_test(table)
        return wrong_answers(table, right & (right.cumsum() <= 16))  # of 800

    project.retrain(MODEL, change)


def _retrained_worse(project: Project) -> None:
    # All else equal: a network that was trained again, and not as well.
    project.train(MODEL, answers(project.labels, SKILLS[MODEL] - 0.3, seed=7))
    project.finish()


def _overconfident(project: Project) -> None:
    project.retrain(
        MODEL, lambda table: with_probabilities(table, table[list(PROBABILITIES)].to_numpy(np.float64) ** 3)
    )


def _model_missing(project: Project) -> None:
    shutil.rmtree(project.reports / "models" / MODEL)
    project.finish()


def _model_deleted_by_hand(project: Project) -> None:
    shutil.rmtree(project.reports / "models" / MODEL)


def _labels_of_one_permuted(project: Project) -> None:
    project.retrain(MODEL, lambda table: table.assign(label=np.roll(table["label"].to_numpy(), 1)))


def _labels_of_all_permuted(project: Project) -> None:
    for name in SKILLS:
        project.retrain(name, lambda table: table.assign(label=np.roll(table["label"].to_numpy(), 1)))


def _answers_shuffled(project: Project) -> None:
    # As written if a generator shuffles the images: valid in every row, but of another image.
    said = ["predicted", *PROBABILITIES]
    order = np.random.default_rng(0).permutation(len(project.labels))
    project.retrain(
        MODEL, lambda table: table.assign(**{name: table[name].to_numpy()[order] for name in said})
    )


def _test_set_swapped(project: Project) -> None:
    other = truth(test=800, seed=9)
    other["sample_id"] = [f"{number + 10_000:016x}" for number in range(len(other))]
    for name, skill in SKILLS.items():
        project.train(name, answers(other, skill, seed=3))
    project.finish()


def _one_table_of_other_samples(project: Project) -> None:
    project.retrain(MODEL, lambda table: table.iloc[:-100])


def _stale_code(project: Project) -> None:
    project.write("src/model.py", "LAYERS = 5\n")


def _stale_params(project: Project) -> None:
    file = project.root / "params.yaml"
    file.write_text(file.read_text(encoding="utf-8").replace("seed: 2013", "seed: 2014"), encoding="utf-8")


def _edited_metrics(project: Project) -> None:
    file = project.reports / "models" / MODEL / "metrics.json"
    metrics = json.loads(file.read_text(encoding="utf-8"))
    metrics["test"]["accuracy"] += 0.01
    file.write_text(json.dumps(metrics), encoding="utf-8")


def _edited_metrics_and_lock(project: Project) -> None:
    _edited_metrics(project)
    project.finish()


def _edited_leaderboard(project: Project) -> None:
    file = project.reports / "leaderboard.csv"
    table = pd.read_csv(file)
    table["test_accuracy"] += 0.02 * (table["model"] == MODEL)
    table.to_csv(file, index=False)
    project.lock()


def _edited_champion(project: Project) -> None:
    file = project.reports / "champion.json"
    file.write_text(file.read_text(encoding="utf-8").replace("cnn4", MODEL), encoding="utf-8")
    project.lock()


def _champion(content: str) -> Plant:
    def champion_is_no_object(project: Project) -> None:
        project.write("reports/sample/quick/champion.json", content)
        project.lock()

    return champion_is_no_object


def _champion_is_another(project: Project) -> None:
    # With that model's own numbers.
    second = pd.read_csv(project.reports / "leaderboard.csv").drop(columns="rank").iloc[1]
    project.write("reports/sample/quick/champion.json", json.dumps(second.to_dict()))
    project.lock()


def _no_champion(project: Project) -> None:
    (project.reports / "champion.json").unlink()
    project.lock()


def _no_leaderboard(project: Project) -> None:
    (project.reports / "leaderboard.csv").unlink()
    project.lock()


def _no_metrics(project: Project) -> None:
    (project.reports / "models" / MODEL / "metrics.json").unlink()
    project.lock()


def _metrics_of_another_form(project: Project) -> None:
    project.write(f"reports/sample/quick/models/{MODEL}/metrics.json", '{"test": "x"}')
    project.lock()


def _best_has_no_metrics(project: Project) -> None:
    project.write("reports/sample/quick/models/cnn4/metrics.json", '{"test": "x"}')
    project.lock()


def _empty_lock(project: Project) -> None:
    project.write("dvc.lock", "")


def _no_lock(project: Project) -> None:
    (project.root / "dvc.lock").unlink()


def _best_is_worse(project: Project) -> None:
    # The best model goes, and it is allowed: the next one is the best then.
    shutil.rmtree(project.reports / "models" / "cnn4")
    project.limits({"allow_removed": ["cnn4"]})
    project.finish()


def _below_the_floor(project: Project) -> None:
    project.limits({"floors": {"sample/quick": {"accuracy": 0.99}}})


def _duplicate_ids(project: Project) -> None:
    file = project.reports / "models" / MODEL / "predictions.parquet"
    table = pd.read_parquet(file)
    pd.concat([table, table.tail(3)]).to_parquet(file, index=False)
    project.lock()


PLANTED: list[tuple[Plant, str, str]] = [
    (_class_collapses, "regression", "cnn2_small: F1 of fear"),
    (_two_points, "regression", "−2.0 points"),
    (_retrained_worse, "regression", "cnn2_small: accuracy"),
    (_overconfident, "regression", "cnn2_small: calibration error"),
    (_model_missing, "removed", "the results of cnn2_small are in the base and not here"),
    (_model_deleted_by_hand, "lock", "dvc.lock names results that are not committed"),
    (_labels_of_one_permuted, "table", "labels and ids do not belong together"),
    (_labels_of_all_permuted, "split", "with another label"),
    (_answers_shuffled, "regression", "cnn2_small: macro-F1"),
    (_test_set_swapped, "split", "the test split changed (800 new sample ids, 800 gone"),
    (_one_table_of_other_samples, "table", "the test split is not that of the other models (100 gone"),
    (_stale_code, "lock", "made with another content of src/model.py"),
    (_stale_params, "lock", "made with another value of seed"),
    (_edited_metrics, "lock", "cnn2_small/metrics.json (all)"),
    (_edited_metrics_and_lock, "metrics", "does not follow from predictions.parquet: test.accuracy is"),
    (_edited_leaderboard, "leaderboard", "cnn2_small's test_accuracy is"),
    (_edited_champion, "leaderboard", "champion.json does not agree"),
    (_champion("[]"), "leaderboard", "champion.json does not agree with metrics.json: it is no object with"),
    (_champion("null"), "leaderboard", "it is no object with model, val_macro_f1"),
    (_champion('{"model": "cnn4"}'), "leaderboard", "it is no object with model, val_macro_f1"),
    (_champion_is_another, "leaderboard", "it names cnn2_small, the leaderboard's first is cnn4"),
    (_no_champion, "leaderboard", "champion.json is in the base and not here"),
    (_no_leaderboard, "leaderboard", "leaderboard.csv is in the base and not here"),
    (_no_metrics, "metrics", "val.accuracy is missing"),
    (_metrics_of_another_form, "metrics", "val.accuracy is missing"),
    (_best_has_no_metrics, "floor", "test accuracy is nan, below the floor"),
    (_empty_lock, "lock", "dvc.lock has no stage all of dvc.yaml"),
    (_no_lock, "lock", "dvc.lock has no stage all of dvc.yaml"),
    (_best_is_worse, "best", "best model cnn2_small (at the base cnn4): accuracy"),
    (_below_the_floor, "floor", "below the floor of 0.99"),
    (_duplicate_ids, "table", "3 sample id(s) occur more than once"),
]


@pytest.mark.parametrize(("plant", "kind", "message"), PLANTED, ids=[case[0].__name__ for case in PLANTED])
def test_planted(
    project: Project, gate: Gate, plant: Callable[[Project], None], kind: str, message: str
) -> None:
    plant(project)
    outcome = gate()
    assert outcome.status == 1
    assert message in outcome.messages(kind)
    assert message in outcome.out
    assert message in outcome.markdown.replace("**", "")
    assert outcome.out.startswith("gate: FAILED against HEAD")
    assert "FAILED" in outcome.markdown.splitlines()[0]


def test_a_network_that_lost_two_points_in_training_is_refused_on_a_split_as_large_as_fer2013s(
    gate: Gate, tmp_path: Path
) -> None:
    (tmp_path / "large").mkdir()
    project = Project(tmp_path / "large", truth(test=3589))
    project.train(MODEL, answers(project.labels, SKILLS[MODEL] - 0.07, seed=8))
    project.finish()
    outcome = gate(root=project.root)
    assert outcome.status == 1
    changes = outcome.verdict["boards"][0]["compared"][0]["changes"]
    assert -0.022 < changes[0]["now"] - changes[0]["base"] < -0.018
    assert "cnn2_small: accuracy" in outcome.messages("regression")


@pytest.mark.parametrize("seed", range(20))
def test_models_that_were_trained_again_pass(project: Project, gate: Gate, seed: int) -> None:
    for number, (name, skill) in enumerate(SKILLS.items()):
        project.train(name, answers(project.labels, skill, seed=1000 + 10 * seed + number))
    project.finish()
    outcome = gate()
    assert outcome.status == 0, outcome.out
    assert outcome.verdict["boards"][0]["same"] == []
    assert {comparison["model"] for comparison in outcome.verdict["boards"][0]["compared"]} == {*SKILLS}


def test_trainings_of_a_seed_agree_as_those_of_networks_do(project: Project) -> None:
    again = answers(project.labels, SKILLS["cnn2_small"], seed=1)
    agreement = (again["predicted"] == project.table("cnn2_small")["predicted"]).mean()
    assert 0.75 < agreement < 0.85
