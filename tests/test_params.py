from __future__ import annotations

import re
from pathlib import Path

import pytest
from pydantic import ValidationError

from ferflow.errors import FerflowError
from ferflow.params import AugmentParams, LayoutParams, Limit, Params, Recipe, load_params
from ferflow.params.optimization import LossParams, OptimizerParams, ScheduleParams

ROOT = Path(__file__).parents[1]
VALID = """\
dataset: faces
budget: quick
seed: 7
datasets:
  faces:
    source: faces.zip
    sha256: null
    licence: null
    layout: {format: auto}
    registered_model: ferflow
ingest: {image_size: 48}
validate:
  max_reject_fraction: 0.01
  min_samples: 100
  min_samples_per_label: 30
  min_image_size: 32
  max_small_fraction: 0.01
  min_pixel_std: 2.0
  max_blank_fraction: 0.005
  max_duplicate_fraction: {limit: 0.01, severity: warning}
  max_contradictory_fraction: 0.25
  max_leaked_samples: 0
  min_label_signal: 3.0
  max_brightness_drift: {limit: 0.5, severity: warning}
  max_class_ratio: {limit: 10, severity: warning}
split: {duplicates: clean, val_fraction: 0.1, test_fraction: 0.2}
training: {precision: auto}
evaluate: {horizontal_flip: true, shift: 2}
robustness: {quick: {samples: 56, severities: [2, 4]}, full: {samples: 700, severities: [1, 2, 3, 4, 5]}}
promotion: {rules: [{minimum_improvement: 0.0}], challenger: true}
gate:
  significance: 0.005
  max_drop:
    accuracy: 0.02
    balanced_accuracy: 0.02
    macro_f1: 0.02
    log_loss: 0.06
    calibration_error: 0.03
    class_f1: 0.07
    best: 0.0
  floors: {}
  allow_removed: []
  min_common_samples: 50
models:
  tiny:
    architecture: cnn4
    recipe:
      input_size: 48
      options: {dropout: 0.25}
      optimizer: adam
      early_stopping: {monitor: val_loss, patience: 3}
      augment: {rotation: 20.0}
    quick:
      batch_size: 32
      augment: {zoom: 0.2}
      phases:
        all: {trainable: all, epochs: 1, learning_rate: 1e-4}
    full:
      batch_size: 128
      phases:
        all: {trainable: all, epochs: 50, learning_rate: 0.001}
ensembles: {}
"""


def changed(old: str, new: str) -> str:
    assert VALID.count(old) == 1, old
    return VALID.replace(old, new)


def load(folder: Path, text: str) -> Params:
    path = folder / "params.yaml"
    path.write_text(text, encoding="utf-8")
    return load_params(path)


def complaint(folder: Path, text: str) -> str:
    with pytest.raises(FerflowError) as error:
        load(folder, text)
    message = str(error.value)
    assert "\n" not in message
    assert "params.yaml" in message
    return message


def test_projects_own_params_load_and_every_model_has_a_recipe_in_both_budgets() -> None:
    params = load_params(ROOT / "params.yaml")
    for name in params.models:
        quick, full = params.recipe(name, "quick"), params.recipe(name, "full")
        assert quick.phases
        assert full.phases


def test_the_two_parts_of_a_recipe_are_merged_to_any_depth(tmp_path: Path) -> None:
    params = load(tmp_path, VALID)
    quick, full = params.recipe("tiny"), params.recipe("tiny", "full")
    assert (quick.batch_size, full.batch_size) == (32, 128)
    assert (quick.augment.rotation, quick.augment.zoom) == (20.0, 0.2)
    assert (full.augment.rotation, full.augment.zoom) == (20.0, 0.0)
    assert quick.options == full.options == {"dropout": 0.25}


def test_a_number_in_scientific_notation_is_a_number(tmp_path: Path) -> None:
    assert load(tmp_path, VALID).recipe("tiny").phases["all"].learning_rate == 1e-4


def test_params_are_frozen(tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match="frozen"):
        load(tmp_path, VALID).seed = 8  # type: ignore[misc]


def test_switches_choose_the_source_and_the_budget(tmp_path: Path) -> None:
    params = load(tmp_path, changed("budget: quick", "budget: full"))
    assert params.source.source == "faces.zip"
    assert params.recipe("tiny").batch_size == 128


def test_a_bare_number_is_a_limit_that_stops_the_run(tmp_path: Path) -> None:
    limits = load(tmp_path, VALID).validate_
    assert limits.min_samples == Limit(limit=100, severity="error")
    assert limits.max_class_ratio == Limit(limit=10, severity="warning")


def with_layout(folder: Path, layout: str) -> LayoutParams:
    return load(folder, changed("layout: {format: auto}", f"layout: {layout}")).source.layout


def test_a_layout_says_what_a_data_set_calls_its_classes(tmp_path: Path) -> None:
    names = with_layout(tmp_path, "{aliases: {0: angry, Furious: anger}, drop: [contempt, 8]}").label_names
    assert [names.parse(word) for word in ("0", "furious", "joy", "contempt")] == [
        "angry",
        "angry",
        "happy",
        None,
    ]
    assert [names.drops(word) for word in (" Contempt", "8", "furious", "sad")] == [True, True, False, False]
    assert [names.knows(word) for word in ("contempt", "furious", "1")] == [True, True, False]


@pytest.mark.parametrize(
    ("layout", "problem"),
    [
        ("{format: fer2013}", "layout.format"),
        ("{format: table, columns: {path: file}}", "layout.columns.label: this key is missing"),
        ("{columns: {path: file, label: mood}}", "layout: `columns` says nothing about the format 'auto'"),
        ("{format: table, min_box_confidence: 5}", "it belongs to expw"),
        ("{format: class_folders, file: a.csv}", "it belongs to fer2013_csv and table"),
        ("{aliases: {bored: boredom}}", "'bored' cannot mean 'boredom', none of angry"),
        ("{drop: [joy]}", "datasets.faces.layout: drop: 'joy' means happy, one of the seven emotions"),
        ("{drop: contempt}", "layout.drop"),
        ("{aliases: contempt}", "layout.aliases"),
    ],
)
def test_a_layout_that_makes_no_sense_is_refused(tmp_path: Path, layout: str, problem: str) -> None:
    assert problem in complaint(tmp_path, changed("layout: {format: auto}", f"layout: {layout}"))


@pytest.mark.parametrize(
    ("limit", "problem"),
    [
        ("{limit: 0.01, severity: fatal}", "max_reject_fraction.severity"),
        ("{limit: -1}", "max_reject_fraction.limit"),
        ("{max: 0.01}", "max_reject_fraction.max: unknown key"),
        ("much", "max_reject_fraction.limit"),
    ],
)
def test_a_limit_that_is_none_is_refused(tmp_path: Path, limit: str, problem: str) -> None:
    assert problem in complaint(
        tmp_path, changed("max_reject_fraction: 0.01", f"max_reject_fraction: {limit}")
    )


@pytest.mark.parametrize(
    ("old", "new", "key", "suggestion"),
    [
        ("seed: 7", "sead: 7", "sead", "seed"),
        ("min_samples: 100", "min_sample: 100", "validate.min_sample", "min_samples"),
        ("sha256: null", "sha265: null", "datasets.faces.sha265", "sha256"),
        ("    architecture: cnn4", "    architectur: cnn4", "models.tiny.architectur", "architecture"),
        ("patience: 3", "patiense: 3", "early_stopping.patiense", "patience"),
        ("horizontal_flip:", "horizontal_flop:", "evaluate.horizontal_flop", "horizontal_flip"),
        ("batch_size: 128", "batchsize: 128", "batchsize", "batch_size"),
        ("learning_rate: 0.001", "learning_rat: 0.001", "phases.all.learning_rat", "learning_rate"),
    ],
)
def test_a_misspelt_key_is_named_with_a_suggestion(
    tmp_path: Path, old: str, new: str, key: str, suggestion: str
) -> None:
    message = complaint(tmp_path, changed(old, new))
    assert f"{key}: unknown key; did you mean '{suggestion}'?" in message
    assert f"{suggestion}: this key is missing" in message


def test_a_problem_of_a_recipe_names_the_model_and_the_budget_though_another_is_chosen(
    tmp_path: Path,
) -> None:
    message = complaint(tmp_path, changed("batch_size: 128", "batch_size: 0"))
    assert "models.tiny (full budget): batch_size" in message
    assert "found 0" in message


def test_several_mistakes_are_named_at_once(tmp_path: Path) -> None:
    text = changed("seed: 7", "seed: many").replace("budget: quick", "budget: quik")
    message = complaint(tmp_path, text)
    assert "seed: " in message
    assert "budget: " in message


@pytest.mark.parametrize(
    ("old", "new", "key"),
    [
        ("seed: 7", "seed: '7'", "seed"),
        ("seed: 7", "seed: true", "seed"),
        ("seed: 7", "seed: -1", "seed"),
        ("seed: 7", "seed: 2147483648", "seed"),
        ("budget: quick", "budget: quik", "budget"),
        ("image_size: 48", "image_size: 48.5", "ingest.image_size"),
        ("image_size: 48", "image_size: 8", "ingest.image_size"),
        ("val_fraction: 0.1", "val_fraction: 0.5", "split.val_fraction"),
        ("val_fraction: 0.1", "val_fraction: 0", "split.val_fraction"),
        ("min_pixel_std: 2.0", "min_pixel_std: .nan", "validate.min_pixel_std"),
        ("sha256: null", f"sha256: {'A' * 64}", "datasets.faces.sha256"),
        ("sha256: null", "sha256: 12ab", "datasets.faces.sha256"),
        ("precision: auto", "precision: float16", "training.precision"),
        ("horizontal_flip: true", "horizontal_flip: 1", "evaluate.horizontal_flip"),
        ("shift: 2", "shift: -1", "evaluate.shift"),
        ("shift: 2", "shift: 9", "evaluate.shift"),
        ("shift: 2", "shift: 0.1", "evaluate.shift"),
        ("samples: 56", "samples: 6", "robustness.quick.samples"),
        ("severities: [2, 4]", "severities: [4, 2]", "robustness.quick.severities"),
        ("severities: [2, 4]", "severities: [0]", "robustness.quick.severities.0"),
        ("architecture: cnn4", "architecture: ../cnn4", "models.tiny.architecture"),
        ("learning_rate: 0.001", "learning_rate: 0", "phases.all.learning_rate"),
        ("learning_rate: 0.001", "learning_rate: .inf", "phases.all.learning_rate"),
        ("epochs: 50", "epochs: 0", "phases.all.epochs"),
        ("trainable: all, epochs: 50", "trainable: tail, epochs: 50", "phases.all.trainable"),
        ("trainable: all, epochs: 50", "trainable: 0, epochs: 50", "phases.all.trainable"),
        ("monitor: val_loss", "monitor: loss", "early_stopping.monitor"),
        ("dropout: 0.25", "dropout: {rate: 0.25}", "options.dropout"),
    ],
)
def test_a_value_of_a_wrong_type_or_outside_its_range_is_named(
    tmp_path: Path, old: str, new: str, key: str
) -> None:
    message = complaint(tmp_path, changed(old, new))
    assert f"{key}: " in message
    assert "(found " in message


@pytest.mark.parametrize(
    ("trainable", "problem"),
    [
        ("heads", "Input should be 'all' or 'head' or a valid integer (found 'heads'); did you mean 'head'?"),
        ("0", "Input should be 'all' or 'head' or greater than or equal to 1 (found 0)"),
    ],
)
def test_what_may_be_of_several_types_is_explained_once(tmp_path: Path, trainable: str, problem: str) -> None:
    text = changed("trainable: all, epochs: 50", f"trainable: {trainable}, epochs: 50")
    where = "params.yaml: models.tiny (full budget): phases.all.trainable: "
    assert complaint(tmp_path, text) == where + problem


@pytest.mark.parametrize("budget", ["quick", "full"])
def test_options_are_checked_by_the_architecture(tmp_path: Path, budget: str) -> None:
    text = changed("      options: {dropout: 0.25}\n", "").replace(
        f"    {budget}:\n", f"    {budget}:\n      options: {{dropout: 1}}\n"
    )
    assert complaint(tmp_path, text) == (
        f"params.yaml: models.tiny ({budget} budget): options.dropout: Input should be less than 1 (found 1)"
    )


def test_an_architecture_that_there_is_not_is_refused(tmp_path: Path) -> None:
    message = complaint(tmp_path, changed("architecture: cnn4", "architecture: cnn5"))
    assert message.startswith("params.yaml: models.tiny (quick budget): there is no architecture 'cnn5'; ")


@pytest.mark.parametrize("name", ["../../evil", "cnn 4", "my.cnn", "Tiny", "4cnn", "''", '"tiny\\n"'])
def test_a_model_is_not_called_what_cannot_be_a_part_of_a_path(tmp_path: Path, name: str) -> None:
    message = complaint(tmp_path, changed("  tiny:\n", f"  {name}:\n"))
    assert re.search(r"models\..*: a name is made of small letters, digits and _, .* \(found '", message)


def with_recipe(folder: Path, *lines: str) -> Recipe:
    """Return the recipe of the model with the lines added to what both its budgets share."""
    added = "".join(f"\n      {line}" for line in lines)
    return load(folder, changed("options: {dropout: 0.25}", f"options: {{dropout: 0.25}}{added}")).recipe(
        "tiny"
    )


def test_what_a_recipe_does_not_name_changes_nothing(tmp_path: Path) -> None:
    recipe = with_recipe(tmp_path)
    phase = recipe.phases["all"]
    assert recipe.optimizer == OptimizerParams(name="adam")
    assert recipe.optimizer.weight_decay is recipe.optimizer.clip_norm is recipe.ema_momentum is None
    assert recipe.schedule_of(phase) == ScheduleParams(name="constant")
    assert recipe.loss == LossParams(name="crossentropy", label_smoothing=0.0)
    assert (recipe.class_weights, recipe.sampling) == ("none", "natural")
    assert recipe.augment_of(phase) == AugmentParams(rotation=20.0, zoom=0.2)


def test_a_bare_name_is_the_same_as_one_without_options(tmp_path: Path) -> None:
    bare = with_recipe(tmp_path, "schedule: one_cycle", "loss: focal")
    full = with_recipe(tmp_path, "schedule: {name: one_cycle}", "loss: {name: focal}")
    assert bare == full


def test_a_phase_has_its_own_choices_or_those_of_the_recipe(tmp_path: Path) -> None:
    text = changed(
        "all: {trainable: all, epochs: 1, learning_rate: 1e-4}",
        "first: {trainable: all, epochs: 1, learning_rate: 1e-4}\n"
        "        last: {trainable: all, epochs: 1, learning_rate: 1e-4, optimizer: muon,"
        " schedule: {name: cosine, warmup: 0.1}, augment: false}",
    )
    recipe = load(tmp_path, text).recipe("tiny")
    first, last = recipe.phases.values()
    assert (recipe.optimizer_of(first).name, recipe.optimizer_of(last).name) == ("adam", "muon")
    assert (recipe.schedule_of(first).name, recipe.schedule_of(last).warmup) == ("constant", 0.1)
    assert (recipe.augment_of(first), recipe.augment_of(last)) == (recipe.augment, AugmentParams())


def two_phases(tmp_path: Path, first: str, last: str) -> Recipe:
    text = changed(
        "all: {trainable: all, epochs: 1, learning_rate: 1e-4}",
        f"first: {{trainable: all, epochs: 1, learning_rate: 1e-4, {first}}}\n"
        f"        last: {{trainable: all, epochs: 1, learning_rate: 1e-4, {last}}}",
    )
    return load(tmp_path, text).recipe("tiny")


def test_a_phase_may_see_images_at_another_size_but_the_last(tmp_path: Path) -> None:
    recipe = two_phases(tmp_path, "input_size: 32", "self_distillation: 0.5")
    assert [recipe.size_of(phase) for phase in recipe.phases.values()] == [32, recipe.input_size]
    with pytest.raises(FerflowError, match=r"phases.last.input_size: the last phase trains at 32 pixels"):
        two_phases(tmp_path, "augment: true", "input_size: 32")


def test_a_model_that_has_learnt_nothing_teaches_nothing(tmp_path: Path) -> None:
    with pytest.raises(FerflowError, match=r"phases.first.self_distillation: before the first phase"):
        two_phases(tmp_path, "self_distillation: 0.5", "augment: true")


PLATEAU = "reduce_lr_on_plateau: {factor: 0.5, patience: 2}"


@pytest.mark.parametrize(
    ("lines", "problem"),
    [
        (["schedule: cosin"], "schedule.name"),
        (["schedule: {name: cosine, warm_up: 0.1}"], "schedule.warm_up: unknown key; did you mean 'warmup'?"),
        (["schedule: {name: cosine, warmup: 1.0}"], "schedule.warmup"),
        (["schedule: {name: cosine, start: 0.1}"], "schedule: `start` says nothing without `warmup`"),
        (
            ["schedule: {name: constant, end: 0.1}"],
            "schedule: `end` says nothing about 'constant'; it belongs to cosine and one_cycle",
        ),
        (["schedule: cosine", PLATEAU], "phases.all: the schedule 'cosine' and reduce_lr_on_plateau both"),
        (["loss: {gamma: 2.0}"], "loss: `gamma` says nothing about 'crossentropy'; it belongs to focal"),
        (["loss: {name: focal, gamma: 0}"], "loss.gamma"),
        (["loss: {label_smoothing: 1.0}"], "loss.label_smoothing"),
        (["class_weights: balanced", "sampling: balanced"], "both balanced would favour rare classes twice"),
        (["class_weights: {angry: 2.0}"], "class_weights"),
        (["sampling: even"], "sampling"),
        (["ema_momentum: 1.0"], "ema_momentum"),
    ],
)
def test_a_recipe_that_makes_no_sense_is_refused(tmp_path: Path, lines: list[str], problem: str) -> None:
    with pytest.raises(FerflowError, match=re.escape(problem)) as error:
        with_recipe(tmp_path, *lines)
    assert "models.tiny (quick budget): " in str(error.value)


@pytest.mark.parametrize(
    ("optimizer", "problem"),
    [
        ("adamm", "(found 'adamm'); did you mean 'adam'?"),
        (
            "{name: adam, momentum: 0.9}",
            "budget): optimizer: `momentum` says nothing about 'adam'; it belongs to sgd and rmsprop",
        ),
        ("{name: rmsprop, nesterov: true}", "optimizer: `nesterov` says nothing about 'rmsprop'"),
        ("{name: sgd, nesterov: true}", "optimizer: `nesterov` needs `momentum`"),
        ("{name: sgd, momentum: 1.0}", "optimizer.momentum"),
        ("{name: sgd, weight_decay: -0.1}", "optimizer.weight_decay"),
        ("{name: sgd, clip_norm: 0}", "optimizer.clip_norm"),
        ("{name: sgd, clipnorm: 1}", "optimizer.clipnorm: unknown key; did you mean 'clip_norm'?"),
    ],
)
def test_an_optimizer_that_makes_no_sense_is_refused(tmp_path: Path, optimizer: str, problem: str) -> None:
    assert problem in complaint(tmp_path, changed("optimizer: adam", f"optimizer: {optimizer}"))


@pytest.mark.parametrize(
    ("augment", "problem"),
    [
        ("{brightnes: 0.1}", "augment.brightnes: unknown key; did you mean 'brightness'?"),
        ("{brightness: 1.0}", "augment.brightness"),
        ("{contrast: -0.1}", "augment.contrast"),
        ("{noise: 5}", "augment.noise"),
        ("{mixup: -1}", "augment.mixup"),
        ("{mix_probability: 0.5}", "augment: `mix_probability` says nothing without `mixup`"),
        ("{mixup: 0.2, mix_probability: 0}", "augment.mix_probability"),
        ("{occlusion: 0.5}", "augment.occlusion"),
        ("{occlusion: {min_area: 0.1}}", "augment.occlusion.probability: this key is missing"),
        (
            "{occlusion: {probability: 1, min_area: 0.5, max_area: 0.2}}",
            "budget): augment.occlusion: min_area (0.5) is above max_area (0.2)",
        ),
        ("{occlusion: {probability: 0.5, max_area: 1.5}}", "augment.occlusion.max_area"),
    ],
)
def test_an_augmentation_that_makes_no_sense_is_refused(tmp_path: Path, augment: str, problem: str) -> None:
    assert problem in complaint(tmp_path, changed("augment: {rotation: 20.0}", f"augment: {augment}"))


@pytest.mark.parametrize(
    ("old", "new", "where", "budget"),
    [
        ("batch_size: 128", "batch_size: 128\n      input_size: 64", "'input_size'", "full"),
        ("{zoom: 0.2}", "{zoom: 0.2, rotation: 5.0}", "models.tiny.augment: 'rotation'", "quick"),
        ("{zoom: 0.2}", "3", "'augment'", "quick"),
    ],
)
def test_a_value_that_stands_in_both_parts_of_a_recipe_is_refused(
    tmp_path: Path, old: str, new: str, where: str, budget: str
) -> None:
    message = complaint(tmp_path, changed(old, new))
    assert f"{where} stands both in `recipe` and in `{budget}`" in message


def test_an_unknown_dataset_is_named_with_those_there_are(tmp_path: Path) -> None:
    message = complaint(tmp_path, changed("dataset: faces", "dataset: fases"))
    assert "dataset: 'fases' is not one of faces" in message


@pytest.mark.parametrize(
    ("ensembles", "problem"),
    [
        (
            "{all: {members: [tiny, tiney]}}",
            "ensembles.all: there is no model 'tiney'; there are tiny; did you",
        ),
        ("{all: {greedy: {rounds: 2, candidates: [tiny, big]}}}", "ensembles.all: there is no model 'big'"),
        (
            "{tiny: {greedy: {rounds: 2}}}",
            "ensembles.tiny: there is a model of this name; choose another one",
        ),
        ("{All: {greedy: {rounds: 2}}}", "ensembles.All"),
    ],
)
def test_an_ensemble_is_of_models_and_has_a_name_of_its_own(
    tmp_path: Path, ensembles: str, problem: str
) -> None:
    assert problem in complaint(tmp_path, changed("ensembles: {}", f"ensembles: {ensembles}"))


def test_an_unknown_model_is_named_with_those_there_are(tmp_path: Path) -> None:
    with pytest.raises(FerflowError, match=r"models\.huge does not exist; there are tiny"):
        load(tmp_path, VALID).recipe("huge")


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (changed("ingest: {image_size: 48}", "ingest:\n\timage_size: 48"), 12),
        (changed("seed: 7", "seed: [7"), 4),
        (changed("budget: quick", "budget: *fast"), 2),
        (VALID + "seed: 8\n", VALID.count("\n") + 1),
    ],
    ids=["tab", "unclosed", "alias", "repeated key"],
)
def test_a_syntax_error_names_its_line(tmp_path: Path, text: str, line: int) -> None:
    assert f"line {line}: not valid YAML" in complaint(tmp_path, text)


@pytest.mark.parametrize("content", [b"seed: \xff\n", b"seed: \x07\n"], ids=["not UTF-8", "bell"])
def test_characters_that_yaml_does_not_allow_are_one_line(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "params.yaml"
    path.write_bytes(content)
    with pytest.raises(FerflowError, match=r"params\.yaml: not valid YAML \([^\n]+\)\.$"):
        load_params(path)


@pytest.mark.parametrize("text", ["", "- a\n", "word\n"])
def test_a_file_that_is_no_mapping_is_refused(tmp_path: Path, text: str) -> None:
    assert "the file: " in complaint(tmp_path, text)


def test_models_may_not_be_empty(tmp_path: Path) -> None:
    assert "models: " in complaint(tmp_path, VALID.split("models:\n")[0] + "models: {}\n")


def test_a_missing_file_says_where_to_run(tmp_path: Path) -> None:
    with pytest.raises(FerflowError, match=r"params\.yaml is missing: run from the root of the project"):
        load_params(tmp_path / "params.yaml")
