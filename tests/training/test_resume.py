from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import pytest

from ferflow.models.layers import BASE, classifier, image_input
from ferflow.params import Recipe
from ferflow.training import features
from ferflow.training.callbacks import Epoch, StopOnNaN
from ferflow.training.checkpoint import Checkpoint
from ferflow.training.devices import Device
from ferflow.training.fit import train
from ferflow.training.pipeline import LabelledRows, TrainingData
from ferflow.training.resuming import SaveCheckpoint
from ferflow.training.stopwatch import Stopwatch

FINGERPRINT = "0123456789abcdef" * 4
IMAGES = np.random.default_rng(0).integers(0, 256, (60, 16, 16, 1), dtype=np.uint8)
LABELS = (np.arange(60) % 7).astype("int32")
DATA = TrainingData(
    IMAGES, LabelledRows(np.arange(40), LABELS[:40]), LabelledRows(np.arange(40, 60), LABELS[40:])
)
# Validated on a class that training only makes less likely: the first epoch is the best.
WORSENING = TrainingData(
    IMAGES,
    LabelledRows(np.arange(40), np.zeros(40, "int32")),
    LabelledRows(np.arange(40, 60), np.ones(20, "int32")),
)
CPU = Device("cpu", 1, "mixed_bfloat16")
STEPS = 3  # of an epoch of 40 images in batches of 16


class Killed(BaseException):
    """Nothing in the code under test may catch it, as nothing catches SIGKILL."""


def a_phase(trainable: str | int, epochs: int, learning_rate: float, **own: Any) -> dict[str, Any]:
    return {"trainable": trainable, "epochs": epochs, "learning_rate": learning_rate, **own}


def a_model(seed: int, size: int = 16) -> keras.Model:
    """A base with batch normalisation and dropout, and a head with both."""
    keras.utils.set_random_seed(seed)
    base_input = keras.Input((size, size, 3))
    x = keras.layers.Conv2D(4, 3, strides=2, name="conv")(base_input)
    x = keras.layers.BatchNormalization(name="norm", momentum=0.5)(x)
    x = keras.layers.Dropout(0.2, name="base_dropout")(keras.layers.ReLU(name="relu")(x))
    base = keras.Model(base_input, x, name=BASE)
    inputs, x = image_input((16, 16, 1), input_size=size, channels=3)
    x = keras.layers.GlobalAveragePooling2D(name="pool")(base(x))
    x = keras.layers.BatchNormalization(name="head_norm", momentum=0.5)(x)
    x = keras.layers.Dropout(0.3, name="dropout")(x)
    return keras.Model(inputs, classifier(x, 7), name="two_part")


RECIPES: dict[str, dict[str, Any]] = {
    "two phases with other optimizers": {
        "phases": {
            "head": a_phase("head", 2, 0.05, optimizer="rmsprop"),
            "finetune": a_phase(2, 2, 0.01, schedule={"name": "cosine", "warmup": 0.2}),
        },
        "augment": {"rotation": 20.0, "horizontal_flip": True},
    },
    "averaged weights, mixed images, balanced classes": {
        "ema_momentum": 0.6,
        "augment": {"mixup": 0.5, "cutmix": 1.0, "noise": 0.05},
        "sampling": "balanced",
        "samples_per_epoch": 37,
        "optimizer": {"name": "muon", "clip_norm": 1.0},
        "schedule": "one_cycle",
        "early_stopping": {"monitor": "val_loss", "patience": 2},
    },
    # Nothing is an improvement: the rate falls after the third epoch, if the first is not forgotten.
    "on a plateau, and stopped with the best epoch in the past": {
        "phases": {"burn": a_phase("all", 9, 0.5), "rest": a_phase("head", 2, 0.01)},
        "reduce_lr_on_plateau": {"factor": 0.5, "patience": 2, "min_delta": 10.0},
        "early_stopping": {"monitor": "val_loss", "patience": 3},
    },
    "features of changed images": {
        "phases": {"all": a_phase("all", 1, 0.05), "head": a_phase("head", 3, 0.05, cached_views=2)},
        "augment": {"rotation": 20.0, "noise": 0.05},
        "samples_per_epoch": 33,
    },
    "growing images, taught by itself": {
        "phases": {
            "small": a_phase("all", 1, 0.05, input_size=24),
            "taught": a_phase("all", 2, 0.05, input_size=20, self_distillation=0.5),
            "last": a_phase("all", 1, 0.05, self_distillation=0.7),
        },
        "augment": {"mixup": 0.5},
    },
}


FEATURES: dict[str, Any] = {"phases": {"head": a_phase("head", 4, 0.05)}}


def a_recipe(changes: dict[str, Any]) -> Recipe:
    values: dict[str, Any] = {
        "input_size": 16,
        "batch_size": 16,
        "optimizer": "adam",
        "phases": {"all": a_phase("all", 4, 0.05)},
    }
    return Recipe.model_validate(values | changes)


def run(
    recipe: Recipe, *, seed: int = 5, data: TrainingData = DATA, **options: Any
) -> tuple[list[Epoch], dict[str, npt.NDArray[Any]]]:
    """Return the history and the trained weights."""
    model = a_model(seed)
    history = train(
        model, recipe, data, device=CPU, seed=1, resized=lambda size: a_model(seed, size), **options
    )
    return history, {weight.path: keras.ops.convert_to_numpy(weight) for weight in model.weights}


def loss_of(model: keras.Model) -> float:
    """Return the validation loss of a trained model."""
    probabilities = keras.ops.convert_to_numpy(model(IMAGES[DATA.val.rows], training=False))
    return float(-np.log(probabilities[np.arange(len(DATA.val.rows)), DATA.val.labels]).mean())


def assert_same(ours: Any, theirs: Any) -> None:
    assert ours[0] == theirs[0]
    for path, value in theirs[1].items():
        np.testing.assert_array_equal(ours[1][path], value, err_msg=path)


@pytest.fixture
def kill_at(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Kill a training at its n-th step from now on."""
    steps: Iterator[int] = iter(())
    checked = StopOnNaN.on_train_batch_end

    def step_ended(self: StopOnNaN, batch: int, logs: Any = None) -> None:
        if next(steps, None) == 1:
            raise Killed
        checked(self, batch, logs)

    def kill(step: int) -> None:
        nonlocal steps
        steps = iter(range(step, 0, -1))

    monkeypatch.setattr(StopOnNaN, "on_train_batch_end", step_ended)
    return kill


@pytest.mark.parametrize("changes", RECIPES.values(), ids=RECIPES)
def test_a_training_that_is_killed_again_and_again_ends_as_if_it_never_was(
    changes: dict[str, Any], tmp_path: Path, kill_at: Any
) -> None:
    recipe = a_recipe(changes)
    expected = run(recipe)
    checkpoint = Checkpoint(tmp_path / "checkpoint", FINGERPRINT)
    # In its second epoch; then, from the end of the first, in the last step of the third.
    for step, seed in ((STEPS + 1, 5), (STEPS + STEPS, 6)):
        kill_at(step)
        # Another seed, so that what does not come from the checkpoint differs.
        with pytest.raises(Killed):
            run(recipe, seed=seed, checkpoint=checkpoint)
    assert_same(run(recipe, seed=7, checkpoint=checkpoint), expected)


def test_it_goes_on_after_the_last_finished_epoch_and_says_so(
    tmp_path: Path, kill_at: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = a_recipe({"phases": {"head": a_phase("head", 2, 0.05), "finetune": a_phase("all", 3, 0.01)}})
    checkpoint = Checkpoint(tmp_path, FINGERPRINT)
    heard: list[Epoch] = []
    kill_at(3 * STEPS + 2)
    with pytest.raises(Killed):
        run(recipe, checkpoint=checkpoint, listeners=[heard.append])
    assert [row["epoch"] for row in heard] == [1, 2, 3]
    capsys.readouterr()

    heard_again: list[Epoch] = []
    history, _ = run(recipe, checkpoint=checkpoint, listeners=[heard_again.append])
    printed = capsys.readouterr().out
    assert "train: going on after epoch 3 (phase 'finetune')\n" in printed
    assert "phase 'head':" not in printed and "Epoch 1/3" not in printed and "Epoch 2/3" in printed
    # A run that is logged live begins anew, and has to hear of all epochs.
    assert heard_again == history and heard_again[:3] == heard


def test_what_a_killed_training_has_taken_counts(tmp_path: Path, kill_at: Any) -> None:
    checkpoint, first, second = Checkpoint(tmp_path, FINGERPRINT), Stopwatch(), Stopwatch()
    first.go_on_from(1000)
    kill_at(STEPS + 1)
    with pytest.raises(Killed):
        run(a_recipe({}), checkpoint=checkpoint, stopwatch=first)
    run(a_recipe({}), checkpoint=checkpoint, stopwatch=second)
    assert 1000 < second.seconds < 1500


@pytest.mark.parametrize("ended", ["between phases", "after the last"])
def test_a_phase_that_has_ended_is_not_begun_again(
    ended: str, tmp_path: Path, kill_at: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = a_recipe({"phases": {"one": a_phase("all", 1, 0.05), "two": a_phase("all", 1, 0.01)}})
    checkpoint = Checkpoint(tmp_path, FINGERPRINT)
    if ended == "between phases":
        kill_at(STEPS + 1)
        with pytest.raises(Killed):
            run(recipe, checkpoint=checkpoint)
    else:
        run(recipe, checkpoint=checkpoint)
    capsys.readouterr()
    resumed = run(recipe, seed=9, checkpoint=checkpoint)
    printed = capsys.readouterr().out
    assert "phase 'one':" not in printed
    assert ("phase 'two':" in printed) is (ended == "between phases")
    assert_same(resumed, run(recipe))


def test_patience_neither_begins_anew_nor_lasts_longer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = a_recipe(
        {
            "phases": {"all": a_phase("all", 9, 0.01)},
            "early_stopping": {"monitor": "val_loss", "patience": 2},
        }
    )
    expected = run(recipe, data=WORSENING)
    losses = [row["val_loss"] for row in expected[0]]
    # Which epoch is the best depends on the backend.
    assert len(losses) == losses.index(min(losses)) + 3 < 9, "patience has not ended the phase"

    def killed(*_: Any) -> None:
        raise Killed

    # The last epoch is over and early stopping has spoken, but the phase has not ended.
    checkpoint = Checkpoint(tmp_path, FINGERPRINT)
    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(SaveCheckpoint, "on_train_end", killed)
        run(recipe, data=WORSENING, checkpoint=checkpoint)
    assert_same(run(recipe, seed=6, data=WORSENING, checkpoint=checkpoint), expected)


def test_features_are_not_computed_again(
    tmp_path: Path, kill_at: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = a_recipe(FEATURES)
    checkpoint = Checkpoint(tmp_path, FINGERPRINT)
    kill_at(STEPS + 1)
    with pytest.raises(Killed):
        run(recipe, checkpoint=checkpoint)
    expected = run(recipe)
    monkeypatch.setattr(features, "_compute", None)
    assert_same(run(recipe, seed=6, checkpoint=checkpoint), expected)
    assert [file.name for file in tmp_path.iterdir()] == [f"{FINGERPRINT}.npz"], "the phase is over"


def test_features_whose_computation_was_killed_are_computed_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = a_recipe(FEATURES)

    def killed(*_: Any, **__: Any) -> None:
        raise Killed

    checkpoint = Checkpoint(tmp_path, FINGERPRINT)
    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(keras.Model, "predict_on_batch", killed)
        run(recipe, checkpoint=checkpoint)
    assert_same(run(recipe, checkpoint=checkpoint), run(recipe))
