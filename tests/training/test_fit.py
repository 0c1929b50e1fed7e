from __future__ import annotations

import random
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import pytest

from ferflow.errors import FerflowError
from ferflow.models.layers import BASE, classifier, image_input
from ferflow.params import Recipe
from ferflow.training import fit
from ferflow.training.callbacks import HISTORY_COLUMNS, AverageWeights, Epoch
from ferflow.training.devices import Device, prepare
from ferflow.training.fit import train
from ferflow.training.losses import ClassificationLoss
from ferflow.training.optimizers import make_optimizer
from ferflow.training.pipeline import LabelledRows, TrainingData, training_batches

CPU = Device("cpu", 1, "float32")
IMAGES = np.random.default_rng(0).integers(0, 256, (64, 16, 16, 1), dtype=np.uint8)
LABELS = (np.arange(64) % 7).astype("int32")
TRAIN = LabelledRows(np.arange(48), LABELS[:48])
VAL = LabelledRows(np.arange(48, 64), LABELS[48:])
DATA = TrainingData(IMAGES, TRAIN, VAL)
# Two brightnesses, two classes; validated on a third class, which training only makes less likely.
SEPARABLE = LabelledRows(np.arange(32), np.repeat([0, 1], 16).astype("int32"))
BRIGHTNESS = np.repeat(np.array([40, 220], np.uint8), 16).reshape(32, 1, 1, 1)
MISLEADING = TrainingData(
    np.broadcast_to(BRIGHTNESS, (32, 16, 16, 1)).copy(),
    SEPARABLE,
    LabelledRows(SEPARABLE.rows, np.full(32, 2, "int32")),
)


def a_recipe(**changes: Any) -> Recipe:
    values: dict[str, Any] = {
        "input_size": 16,
        "batch_size": 16,
        "optimizer": "sgd",
        "phases": {"all": {"trainable": "all", "epochs": 2, "learning_rate": 0.05}},
    }
    return Recipe.model_validate(values | changes)


def a_phase(trainable: str | int, epochs: int, learning_rate: float, **own: Any) -> dict[str, Any]:
    return {"trainable": trainable, "epochs": epochs, "learning_rate": learning_rate, **own}


def linear_model() -> keras.Model:
    keras.utils.set_random_seed(5)
    inputs, x = image_input((16, 16, 1), input_size=16)
    return keras.Model(inputs, classifier(keras.layers.Flatten()(x), 7), name="linear")


def two_part_model() -> keras.Model:
    keras.utils.set_random_seed(5)
    base_input = keras.Input((16, 16, 3))
    x = keras.layers.Conv2D(4, 3, name="conv")(base_input)
    x = keras.layers.BatchNormalization(name="norm", momentum=0.5)(x)
    base = keras.Model(base_input, keras.layers.ReLU(name="relu")(x), name=BASE)
    inputs, x = image_input((16, 16, 1), input_size=16, channels=3)
    x = keras.layers.GlobalAveragePooling2D(name="pool")(base(x))
    x = keras.layers.Dropout(0.3, name="dropout")(x)
    return keras.Model(inputs, classifier(x, 7), name="two_part")


def loss_of(model: keras.Model, data: TrainingData) -> float:
    probabilities = keras.ops.convert_to_numpy(model(data.images[data.val.rows], training=False))
    return float(-np.log(probabilities[np.arange(len(data.val.rows)), data.val.labels]).mean())


def weights_of(model: keras.Model) -> dict[str, npt.NDArray[np.float32]]:
    return {weight.path: weight.numpy() for weight in model.weights}


@pytest.mark.parametrize(
    "changes",
    [
        {"optimizer": "adam", "augment": {"rotation": 20.0, "horizontal_flip": True}},
        {
            "optimizer": {"name": "muon", "clip_norm": 1.0},
            "schedule": "one_cycle",
            "loss": {"name": "focal", "label_smoothing": 0.1},
            "sampling": "balanced",
            "ema_momentum": 0.5,
            "augment": {
                "zoom": 0.2,
                "brightness": 0.1,
                "noise": 0.05,
                "occlusion": {"probability": 0.5},
                "mixup": 0.4,
                "cutmix": 1.0,
            },
        },
    ],
    ids=["plain", "everything"],
)
def test_the_same_seed_gives_the_same_model_bit_for_bit(changes: dict[str, Any]) -> None:
    recipe = a_recipe(samples_per_epoch=40, phases={"all": a_phase("all", 2, 0.01)}, **changes)

    def run(seed: int, precision: Any) -> tuple[list[Epoch], dict[str, npt.NDArray[np.float32]]]:
        device = prepare(precision, seed)
        model = two_part_model()
        keras.utils.set_random_seed(seed)  # so that only order, augmentation and dropout differ
        return train(model, recipe, DATA, device=device, seed=seed), weights_of(model)

    (history, weights), (history_again, weights_again) = run(1, "mixed_bfloat16"), run(1, "mixed_bfloat16")
    assert history == history_again
    for path, value in weights.items():
        np.testing.assert_array_equal(value, weights_again[path], err_msg=path)
    other_history, _ = run(2, "mixed_bfloat16")
    assert other_history != history


def test_phases_follow_each_other_in_one_history(monkeypatch: pytest.MonkeyPatch) -> None:
    streams: list[int] = []

    def watched(*arguments: Any, first_epoch: int, **options: Any) -> Any:
        streams.append(first_epoch)
        return training_batches(*arguments, first_epoch=first_epoch, **options)

    monkeypatch.setattr(fit, "training_batches", watched)
    heard: list[Epoch] = []
    also_heard: list[int] = []
    model = two_part_model()
    before = weights_of(model)
    recipe = a_recipe(phases={"warm_up": a_phase("all", 2, 0.05), "head": a_phase("head", 1, 0.01)})
    history = train(
        model,
        recipe,
        DATA,
        device=CPU,
        seed=1,
        listeners=[heard.append, lambda row: also_heard.append(row["epoch"])],
    )

    assert [(row["epoch"], row["phase"]) for row in history] == [(1, "warm_up"), (2, "warm_up"), (3, "head")]
    assert [row["learning_rate"] for row in history] == pytest.approx([0.05, 0.05, 0.01])
    assert all(tuple(row) == HISTORY_COLUMNS for row in history)
    assert heard == history and also_heard == [1, 2, 3]
    assert streams == [0, 2], "a phase repeats the order of samples of the phase before"
    # The weights came back to the layers they belong to, and so did the statistics.
    assert loss_of(model, DATA) == pytest.approx(history[-1]["val_loss"], abs=1e-4)
    assert all(not np.array_equal(value, before[path]) for path, value in weights_of(model).items())


def test_a_frozen_phase_leaves_the_base_alone() -> None:
    model = two_part_model()
    before = weights_of(model)
    train(model, a_recipe(phases={"head": a_phase("head", 1, 0.05)}), DATA, device=CPU, seed=1)
    moved = {path for path, value in weights_of(model).items() if not np.array_equal(value, before[path])}
    assert moved == {"logits/kernel", "logits/bias"}


def test_the_recipe_sets_the_momentum_of_the_statistics() -> None:
    phase = {"head": a_phase("all", 1, 1e-6)}
    means = []
    for momentum in (None, 0.999):
        model = two_part_model()
        train(model, a_recipe(phases=phase, batch_norm_momentum=momentum), DATA, device=CPU, seed=1)
        means.append(np.abs(weights_of(model)["norm/moving_mean"]).max())
    assert means[1] < 0.02 * means[0]


@pytest.mark.parametrize("monitor", ["val_loss", "val_accuracy"])
def test_early_stopping_goes_back_to_the_best_epoch(monitor: str) -> None:
    model = linear_model()
    recipe = a_recipe(
        phases={"all": a_phase("all", 9, 0.01)}, early_stopping={"monitor": monitor, "patience": 2}
    )
    history = train(model, recipe, MISLEADING, device=CPU, seed=1)
    losses = [row["val_loss"] for row in history]
    assert losses == sorted(losses), "the data does not mislead"
    assert len(history) == 3  # the first, and two that were not better
    assert loss_of(model, MISLEADING) == pytest.approx(losses[0], rel=1e-4)


def test_the_best_epoch_counts_even_if_time_runs_out_first() -> None:
    model = linear_model()
    recipe = a_recipe(
        phases={"all": a_phase("all", 2, 0.01)}, early_stopping={"monitor": "val_loss", "patience": 5}
    )
    history = train(model, recipe, MISLEADING, device=CPU, seed=1)
    assert history[0]["val_loss"] < history[1]["val_loss"]
    assert loss_of(model, MISLEADING) == pytest.approx(history[0]["val_loss"], rel=1e-4)


def test_a_plateau_lowers_the_rate_of_the_epochs_after_it() -> None:
    recipe = a_recipe(
        phases={"all": a_phase("all", 4, 0.01)}, reduce_lr_on_plateau={"factor": 0.5, "patience": 1}
    )
    history = train(linear_model(), recipe, MISLEADING, device=CPU, seed=1)
    # The first epoch is the best; after the second the plateau is noticed, the third feels it.
    assert [row["learning_rate"] for row in history] == pytest.approx([0.01, 0.01, 0.005, 0.0025])


@pytest.mark.parametrize(
    ("batch_size", "epochs", "place"),
    [(16, 3, "epoch 1, step 2"), (48, 3, "epoch 1, after its last step")],
)
def test_a_loss_that_is_no_number_stops_the_training(batch_size: int, epochs: int, place: str) -> None:
    model = linear_model()
    before = weights_of(model)
    heard: list[Epoch] = []
    recipe = a_recipe(
        batch_size=batch_size, phases={"calm": a_phase("all", 1, 1e-3), "burn": a_phase("all", epochs, 1e38)}
    )
    with pytest.raises(FerflowError, match=f"not finite: phase 'burn', {place}; lower its learning_rate"):
        train(model, recipe, DATA, device=CPU, seed=1, listeners=[heard.append])
    assert [row["phase"] for row in heard][:1] == ["calm"]
    for path, value in weights_of(model).items():
        np.testing.assert_array_equal(value, before[path])


def test_a_phase_that_does_not_fit_the_model_is_named() -> None:
    with pytest.raises(FerflowError, match=r"phases\.frozen\.trainable: .*no base to freeze"):
        train(linear_model(), a_recipe(phases={"frozen": a_phase("head", 1, 0.1)}), DATA, device=CPU, seed=1)


def test_averaged_weights_are_validated_and_kept() -> None:
    def trained(epochs: int, **changes: Any) -> tuple[list[Epoch], keras.Model]:
        model = linear_model()
        # One step an epoch, so that the model after n epochs has the weights after n steps.
        recipe = a_recipe(batch_size=48, phases={"all": a_phase("all", epochs, 0.5)}, **changes)
        return train(model, recipe, DATA, device=CPU, seed=1), model

    plain = [trained(steps) for steps in (1, 2, 3)]
    weights = [weights_of(model) for _, model in plain]
    history, model = trained(3, ema_momentum=0.8)
    for path, value in weights_of(model).items():
        average = weights[0][path]
        for later in weights[1:]:
            average = 0.8 * average + 0.2 * later[path]
        np.testing.assert_allclose(value, average, rtol=1e-5, atol=1e-7)
        assert not np.allclose(value, weights[2][path], atol=1e-4)
    assert loss_of(model, DATA) == pytest.approx(history[-1]["val_loss"], rel=1e-5)
    # It went on from the weights and not from their average.
    assert history[-1]["loss"] == pytest.approx(plain[-1][0][-1]["loss"], rel=1e-6)


@pytest.mark.parametrize(("epochs", "run"), [(9, 3), (2, 2)], ids=["stopped", "ended"])
def test_early_stopping_goes_back_to_the_best_average(epochs: int, run: int) -> None:
    model = linear_model()
    recipe = a_recipe(
        phases={"all": a_phase("all", epochs, 0.01)},
        early_stopping={"monitor": "val_loss", "patience": 2},
        ema_momentum=0.5,
    )
    history = train(model, recipe, MISLEADING, device=CPU, seed=1)
    assert len(history) == run and history[0]["val_loss"] < history[1]["val_loss"]
    assert loss_of(model, MISLEADING) == pytest.approx(history[0]["val_loss"], rel=1e-5)


def test_a_training_that_something_else_stops_ends_with_the_averages_too() -> None:
    model = linear_model()
    stop = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, _: setattr(model, "stop_training", epoch == 1)
    )
    model.compile(keras.optimizers.SGD(0.5, use_ema=True, ema_momentum=0.9), ClassificationLoss())
    model.fit(
        IMAGES,
        LABELS,
        epochs=5,
        validation_data=(IMAGES, LABELS),
        callbacks=[stop, AverageWeights(), heard := keras.callbacks.History()],
        verbose=0,
    )
    assert len(heard.epoch) == 2
    assert loss_of(model, TrainingData(IMAGES, TRAIN, LabelledRows(np.arange(64), LABELS))) == pytest.approx(
        heard.history["val_loss"][-1], rel=1e-5
    )


def test_statistics_of_batch_normalisation_are_not_averaged_again() -> None:
    statistics = []
    for momentum in (None, 0.9):
        model = two_part_model()
        train(model, a_recipe(ema_momentum=momentum), DATA, device=CPU, seed=1)
        statistics.append({p: value for p, value in weights_of(model).items() if "/moving_" in p})
    for path, value in statistics[0].items():
        np.testing.assert_array_equal(statistics[1][path], value)


def test_a_phase_may_have_its_own_optimizer_schedule_and_plain_images(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made: list[tuple[str, Any, Any]] = []

    def watched_optimizer(params: Any, rate: Any, variables: Any, **options: Any) -> Any:
        made.append((params.name, len(variables), None))
        return make_optimizer(params, rate, variables, **options)

    def watched_batches(*arguments: Any, **options: Any) -> Any:
        made[-1] = (*made[-1][:2], (options["augment"] is not None, options["mix"] is not None))
        return training_batches(*arguments, **options)

    monkeypatch.setattr(fit, "make_optimizer", watched_optimizer)
    monkeypatch.setattr(fit, "training_batches", watched_batches)
    recipe = a_recipe(
        schedule={"name": "cosine", "end": 0.5},
        augment={"rotation": 10.0, "mixup": 0.2},
        phases={
            "as_the_recipe": a_phase("all", 2, 0.01),
            "its_own": a_phase("head", 2, 0.02, optimizer="rmsprop", schedule="constant", augment=False),
        },
    )
    history = train(two_part_model(), recipe, DATA, device=CPU, seed=1)
    assert made == [("sgd", 6, (True, True)), ("rmsprop", 2, (False, False))]
    assert [row["learning_rate"] for row in history] == pytest.approx([0.01, 0.0075, 0.02, 0.02])


def test_mixed_labels_train_and_plain_labels_validate() -> None:
    model = linear_model()
    recipe = a_recipe(augment={"mixup": 1.0, "cutmix": 1.0}, loss={"name": "focal", "gamma": 1.0})
    history = train(model, recipe, DATA, device=CPU, seed=1)
    probabilities = np.asarray(model(IMAGES[VAL.rows], training=False))
    expected = ClassificationLoss(gamma=1.0)(VAL.labels, probabilities)
    assert history[-1]["val_loss"] == pytest.approx(float(expected), rel=1e-4)
    hits = (probabilities.argmax(axis=1) == VAL.labels).mean()
    assert history[-1]["val_accuracy"] == pytest.approx(hits)
    # A share of a label is a hit for that share.
    assert history[-1]["accuracy"] * 96 % 1 > 1e-3


def test_balanced_weights_and_balanced_sampling_raise_the_rare_class() -> None:
    rare = TrainingData(IMAGES, LabelledRows(np.arange(48), np.repeat([0, 1], [44, 4]).astype("int32")), VAL)
    shares = []
    for changes in ({}, {"class_weights": "balanced"}, {"sampling": "balanced"}):
        model = linear_model()
        recipe = a_recipe(phases={"all": a_phase("all", 4, 0.02)}, **changes)
        train(model, recipe, rare, device=CPU, seed=1)
        shares.append(np.asarray(model(IMAGES, training=False)).mean(axis=0)[1])
    assert min(shares[1:]) > 1.5 * shares[0]


def test_a_phase_at_another_size_goes_on_with_the_weights() -> None:
    sizes: list[int] = []

    def pooled(size: int) -> keras.Model:
        keras.utils.set_random_seed(5)
        sizes.append(size)
        inputs, x = image_input((16, 16, 1), input_size=size)
        x = keras.layers.GlobalAveragePooling2D()(keras.layers.Conv2D(4, 3)(x))
        return keras.Model(inputs, classifier(x, 7), name="pooled")

    model = pooled(16)
    phases = {"small": a_phase("all", 1, 0.05, input_size=24), "large": a_phase("all", 1, 1e-30)}
    recipe = a_recipe(phases=phases)
    train(model, recipe, DATA, device=CPU, seed=1, resized=pooled)
    assert sizes == [16, 24]
    alone = pooled(24)
    only = a_recipe(input_size=24, phases={"small": a_phase("all", 1, 0.05)})
    train(alone, only, DATA, device=CPU, seed=1)
    for ours, theirs in zip(model.get_weights(), alone.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_a_network_whose_weights_depend_on_its_size_cannot_change_it() -> None:
    def flat(size: int) -> keras.Model:
        inputs, x = image_input((16, 16, 1), input_size=size)
        return keras.Model(inputs, classifier(keras.layers.Flatten()(x), 7), name="flat")

    phases = {"small": a_phase("all", 1, 0.05, input_size=24), "large": a_phase("all", 1, 0.05)}
    with pytest.raises(FerflowError, match="the weights of 'flat' depend on its input size"):
        train(flat(16), a_recipe(phases=phases), DATA, device=CPU, seed=1, resized=flat)


@pytest.mark.parametrize(
    ("phase", "problem"),
    [
        ({"trainable": 9}, "phases.late.trainable: the base has only"),
        ({"input_size": 24}, "the weights of 'two_part' depend on its input size"),
    ],
)
def test_a_late_phase_that_is_impossible_is_found_before_the_first(
    phase: dict[str, Any], problem: str
) -> None:
    heard: list[Epoch] = []
    late = a_phase("all", 1, 0.05) | phase
    recipe = a_recipe(
        phases={"early": a_phase("all", 1, 0.05), "late": late, "last": a_phase("all", 1, 0.05)}
    )
    with pytest.raises(FerflowError, match=problem):
        train(
            two_part_model(),
            recipe,
            DATA,
            device=CPU,
            seed=1,
            resized=lambda _: linear_model(),
            listeners=[heard.append],
        )
    assert heard == []


def test_what_ran_before_does_not_decide_what_is_dropped() -> None:
    results = []
    for draws in (0, 3):
        prepare("float32", 1)
        model = two_part_model()
        # As MLflow does when a server does not answer at once.
        for _ in range(draws):
            random.random()  # noqa: S311
        train(model, a_recipe(), DATA, device=CPU, seed=1)
        results.append(model.get_weights())
    for ours, theirs in zip(*results, strict=True):
        np.testing.assert_array_equal(ours, theirs)
