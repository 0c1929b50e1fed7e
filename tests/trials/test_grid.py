from __future__ import annotations

import pytest

from ferflow.errors import FerflowError, without_credentials
from ferflow.params import Params
from ferflow.trials.grid import grid


def test_all_combinations_in_order(params: Params) -> None:
    trials = grid(params, "cnn2_small", ["batch_size=16,64", "options.dropout=0.3,0.4"])
    assert [str(trial) for trial in trials] == [
        "batch_size 16, options.dropout 0.3",
        "batch_size 16, options.dropout 0.4",
        "batch_size 64, options.dropout 0.3",
        "batch_size 64, options.dropout 0.4",
    ]
    assert [(trial.recipe.batch_size, trial.recipe.options) for trial in trials] == [
        (16, {"dropout": 0.3}),
        (16, {"dropout": 0.4}),
        (64, {"dropout": 0.3}),
        (64, {"dropout": 0.4}),
    ]


def test_a_key_is_changed_where_it_stands(params: Params) -> None:
    settings = ["batch_size=16", "phases.all.learning_rate=0.01"]
    (quick,) = grid(params, "cnn2_small", settings)
    assert quick.overrides == (
        "models.cnn2_small.recipe.batch_size=16",
        "models.cnn2_small.quick.phases.all.learning_rate=0.01",
    )
    (full,) = grid(params.model_copy(update={"budget": "full"}), "cnn2_small", settings)
    assert full.overrides[1] == "models.cnn2_small.full.phases.all.learning_rate=0.01"
    assert full.recipe.phases["all"].learning_rate == 0.01
    assert full.recipe.phases["all"].epochs == params.recipe("cnn2_small", "full").phases["all"].epochs


def test_the_params_stay_as_they_were(params: Params) -> None:
    before = params.model_dump()
    grid(params, "cnn2_small", ["options.dropout=0.1"])
    assert params.model_dump() == before


def test_equal_values_are_one_trial(params: Params) -> None:
    trials = grid(params, "cnn2_small", ["phases.all.learning_rate=0.001,1e-3,0.002"])
    assert [trial.values["phases.all.learning_rate"] for trial in trials] == [0.001, 0.002]


@pytest.mark.parametrize(
    ("settings", "override"),
    [
        (["optimizer=sgd"], "models.cnn2_small.recipe.optimizer=sgd"),
        (["samples_per_epoch=null"], "models.cnn2_small.quick.samples_per_epoch=null"),
        (["early_stopping.patience= 2"], "models.cnn2_small.recipe.early_stopping.patience=2"),
    ],
)
def test_words_null_and_spaces(params: Params, settings: list[str], override: str) -> None:
    (trial,) = grid(params, "cnn2_small", settings)
    assert trial.overrides == (override,)


@pytest.mark.parametrize(
    ("model", "setting", "message"),
    [
        ("cnn2", "batch_size=16", "models.cnn2 does not exist"),
        ("cnn2_small", "batchsize=16", "no value 'batchsize' to vary; there are batch_size, "),
        ("cnn2_small", "options=16", "no value 'options' to vary"),
        ("cnn2_small", "batch_size", "'batch_size' is not a key with"),
        ("cnn2_small", "batch_size=", "'batch_size=' is not a key with"),
        ("cnn2_small", "batch_size=16,,32", "'batch_size=16,,32' is not a key with"),
        ("cnn2_small", "optimizer={name: muon}", "is not a key with"),
        ("cnn2_small", "optimizer={a", "is not a key with"),
        ("cnn2_small", "batch_size=16,-1", r"batch_size: .*greater than or equal to 1 \(found -1\)"),
    ],
)
def test_a_mistake_is_one_line_before_anything_runs(
    params: Params, model: str, setting: str, message: str
) -> None:
    with pytest.raises(FerflowError, match=message) as raised:
        grid(params, model, [setting])
    assert "\n" not in str(raised.value)
    # What looks like a secret is masked when an error is shown.
    assert without_credentials(str(raised.value)) == str(raised.value)
