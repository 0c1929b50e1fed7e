from __future__ import annotations

import inspect
import subprocess
import sys
from pathlib import Path
from typing import Any

import keras
import pytest

from ferflow import models
from ferflow.errors import FerflowError
from ferflow.models import architectures, check_options, cnn4
from ferflow.params import architectures as signatures
from ferflow.params.options import networks

WHERE = "models.mine (full budget)"


def complaint(architecture: str, options: dict[str, Any]) -> str:
    with pytest.raises(FerflowError) as raised:
        check_options(architecture, options, WHERE)
    start, end = f"params.yaml: {WHERE}: ", str(raised.value)
    assert end.startswith(start) and "\n" not in end
    return end.removeprefix(start)


@pytest.mark.parametrize(
    ("architecture", "options", "problem"),
    [
        ("cnn4", {"dropout": "half"}, "options.dropout: Input should be a valid number (found 'half')"),
        ("cnn4", {"dropout": True}, "options.dropout: Input should be a valid number (found True)"),
        ("cnn4", {"dropout": None}, "options.dropout: Input should be a valid number (found None)"),
        ("cnn4", {"dropout": 1}, "options.dropout: Input should be less than 1 (found 1)"),
        ("cnn2_small", {"dropout": -0.1}, "options.dropout: Input should be greater than or equal to 0"),
        ("cnn6_l2", {"dropout": 1.0}, "options.dropout: Input should be less than 1"),
        ("cnn6_l2", {"head_dropout": 1.0}, "options.head_dropout: Input should be less than 1"),
        ("cnn6_l2", {"l2": -0.1}, "options.l2: Input should be greater than or equal to 0"),
        ("cnn6_l2", {"l2": float("inf")}, "options.l2: Input should be a finite number"),
        (
            "residual",
            {"attention_ratio": 0},
            "options.attention_ratio: Input should be greater than or equal",
        ),
        ("residual", {"stem": 0}, "options.stem: Input should be greater than or equal to 1"),
        ("residual", {"stem_kernel": 2.0}, "options.stem_kernel: Input should be a valid integer"),
        ("residual", {"stem_stride": -1}, "options.stem_stride: Input should be greater than or equal to 1"),
        ("residual", {"blocks": [1, 2, -1]}, "options.blocks.2: Input should be greater than or equal to 1"),
        ("residual", {"blocks": [0]}, "options.blocks.0: Input should be greater than or equal to 1"),
        ("residual", {"widths": []}, "options.widths: Value should have at least 1 item"),
        ("residual", {"widths": [8, True, 8]}, "options.widths.1: Input should be a valid integer"),
        ("residual", {"zero_gamma": "yes"}, "options.zero_gamma: Input should be a valid boolean"),
        ("residual", {"batch_norm_momentum": 5}, "options.batch_norm_momentum: Input should be less than 1"),
        ("residual", {"batch_norm_momentum": 0}, "options.batch_norm_momentum: Input should be greater than"),
        ("residual", {"field": 0}, "options.field: Input should be greater than 0"),
        ("residual", {"field": 1.1}, "options.field: Input should be less than or equal to 1"),
        (
            "residual",
            {"attention": "spacial"},
            "options.attention: Input should be 'se', 'spatial', 'both' or null (found 'spacial'); "
            "did you mean 'spatial'?",
        ),
        (
            "residual",
            {"pooling": None},
            "options.pooling: Input should be 'avg', 'max' or 'flatten' (found N",
        ),
        ("residual", {"dropout": 1}, "options.dropout: Input should be less than 1"),
        (
            "backbone",
            {"pooling": "agv"},
            "options.pooling: Input should be 'avg', 'max' or 'flatten' (found '",
        ),
        ("backbone", {"head": 1024}, "options.head: Input should be a list of whole numbers, e.g. [64, 128]"),
        (
            "backbone",
            {"head": "1024"},
            "options.head: Input should be a list of whole numbers, e.g. [64, 128]",
        ),
        ("backbone", {"head": [512.5]}, "options.head.0: Input should be a valid integer (found 512.5)"),
        ("backbone", {"feature_dropout": 1}, "options.feature_dropout: Input should be less than 1"),
        ("backbone", {"head_dropout": 1}, "options.head_dropout: Input should be less than 1"),
        ("backbone", {"weights": False}, "options.weights: Input should be a valid string"),
        ("backbone", {"base_batch_norm": 1}, "options.base_batch_norm: Input should be a valid boolean"),
        (
            "backbone",
            {"network": "vgg16"},
            "options.network: keras.applications has no network 'vgg16'; did you mean 'VGG16'?",
        ),
        ("backbone", {"network": "Model"}, "options.network: keras.applications has no network 'Model'"),
        ("backbone", {"network": "resnet50"}, "did you mean 'ResNet50'?"),
    ],
)
def test_a_wrong_value_is_one_line_with_the_recipe_and_the_key(
    architecture: str, options: dict[str, Any], problem: str
) -> None:
    assert problem in complaint(architecture, options)


def test_several_wrong_values_are_named_at_once() -> None:
    message = complaint("residual", {"stem": 0, "dropout": 1})
    assert "options.stem: " in message and f"; {WHERE}: options.dropout: " in message


@pytest.mark.parametrize(
    ("architecture", "options"),
    [
        ("cnn4", {"dropout": 0}),
        ("cnn6_l2", {"l2": 1}),
        ("residual", {"attention": None, "field": 1, "zero_gamma": False}),
        ("residual", {"widths": [8], "blocks": [2]}),
        ("residual", {"widths": (8, 16), "blocks": (1, 1)}),
        ("backbone", {"network": "ConvNeXtTiny", "weights": None, "head": []}),
        ("backbone", {"weights": "weights/vgg16.h5", "weights_sha256": "0" * 64}),
    ],
)
def test_what_an_architecture_takes_is_let_through(architecture: str, options: dict[str, Any]) -> None:
    check_options(architecture, options)


@pytest.mark.parametrize(
    ("options", "widths", "blocks"),
    [
        ({"widths": [8, 16]}, 2, "[1, 2, 2]"),
        ({"blocks": [1, 1]}, 3, "[1, 1]"),
        ({"blocks": []}, 3, "[]"),
        ({"widths": [8, 16], "blocks": [1, 1, 1]}, 2, "[1, 1, 1]"),
    ],
)
def test_every_stage_needs_its_number_of_blocks(options: dict[str, Any], widths: int, blocks: str) -> None:
    expected = f"options.blocks: Input should be one number for each of the {widths} widths (found {blocks})"
    assert complaint("residual", options) == expected


def test_the_networks_are_those_of_keras() -> None:
    members = inspect.getmembers(keras.applications, inspect.isfunction)
    assert networks() == sorted(name for name, _ in members)
    assert "VGG16" in networks()


def test_architectures_are_the_modules_that_build() -> None:
    assert {"backbone", "cnn2_small", "cnn4", "cnn6_l2", "residual"} <= set(architectures())
    assert not {"attention", "layers", "pretrained", "saving", "inference"} & set(architectures())


@pytest.mark.parametrize("name", ["cnn9", "layers", "saving"])
def test_an_unknown_architecture_is_named_with_the_known_ones(name: str) -> None:
    message = complaint(name, {})
    assert message.startswith(f"there is no architecture '{name}'; there are ")
    assert "backbone, cnn2_small, cnn4" in message
    assert message.endswith("; did you mean 'cnn4'?") == (name == "cnn9")


@pytest.mark.parametrize(
    ("architecture", "option", "end"),
    [
        ("cnn4", "droput", "it has dropout; did you mean 'dropout'?"),
        ("cnn4", "input_size", "it has dropout"),
        ("cnn4", "image_shape", "it has dropout"),
        (
            "backbone",
            "units",
            "it has network, weights, weights_sha256, base_batch_norm, pooling, feature_dropout, head, "
            "head_dropout",
        ),
    ],
)
def test_an_unknown_option_is_named_with_the_known_ones(architecture: str, option: str, end: str) -> None:
    message = complaint(architecture, {option: 1})
    assert message == f"options.{option}: architecture '{architecture}' has no option '{option}'; {end}"


def written(folder: Path, signature: str, monkeypatch: pytest.MonkeyPatch) -> str:
    (folder / "mine.py").write_text(f"import keras\n\ndef build(shape, classes, *, {signature}): ...\n")
    monkeypatch.setattr(signatures, "_FOLDER", folder)
    return "mine"


def test_an_option_without_a_default_must_be_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mine = written(tmp_path, "input_size: int, units: int, name='a'", monkeypatch)
    check_options(mine, {"units": 3, "name": 5})
    assert complaint(mine, {}) == "options.units: this key is missing"


@pytest.mark.parametrize(
    ("signature", "problem"),
    [
        ("rate: np.float32 = 0.5", r"mine\.py: .* type 'np', which ferflow\.params\.options does not have"),
        ("rate: Fraction = RATE", r"mine\.py, line 3: the default of an option must be written out"),
    ],
)
def test_a_signature_that_cannot_be_read_is_the_authors_to_mend(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, signature: str, problem: str
) -> None:
    mine = written(tmp_path, f"input_size: int, {signature}", monkeypatch)
    with pytest.raises(FerflowError, match=problem):
        check_options(mine, {})


def test_params_and_options_are_checked_without_loading_a_framework() -> None:
    program = (
        "import sys\n"
        "from ferflow.models import architectures, check_options\n"
        "import ferflow.params\n"
        "for name in architectures(): check_options(name, {})\n"
        "loaded = {'keras', 'tensorflow', 'mlflow', 'great_expectations'} & sys.modules.keys()\n"
        "sys.exit(f'loaded: {loaded}' if loaded else 0)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def build(architecture: str, input_size: int, **options: Any) -> keras.Model:
    return models.build(architecture, (48, 48, 1), 7, input_size=input_size, options=options, where=WHERE)


@pytest.mark.parametrize(
    ("architecture", "input_size", "options", "problem"),
    [
        ("cnn4", 48, {"dropout": 1}, "options.dropout: Input should be less than 1"),
        ("residual", 40, {"field": 0.01}, "options.field: 0.01 leaves no pixel of 48."),
        (
            "backbone",
            48,
            {"network": "InceptionV3"},
            "input_size: InceptionV3 at 48 pixels, weights null: Input",
        ),
        (
            "backbone",
            48,
            {"weights": "none.h5"},
            "options.weights: 'none.h5' is neither a file, nor imagenet",
        ),
        (
            "cnn2_small",
            4,
            {"dropout": 0.5},
            "'cnn2_small' cannot be built with input_size 4 and options {'dropout': 0.5}: Computed output",
        ),
    ],
)
def test_what_cannot_be_built_is_one_line_with_the_recipe_and_the_key(
    architecture: str, input_size: int, options: dict[str, Any], problem: str
) -> None:
    with pytest.raises(FerflowError) as raised:
        build(architecture, input_size, **options)
    assert str(raised.value).startswith(f"params.yaml: {WHERE}: {problem}")
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (ZeroDivisionError("division by zero"), "division by zero"),
        (TypeError("no number\nin line 1"), "no number"),
        (
            ValueError(
                "Exception encountered when calling Crop.call().\n\n\x1b[1mToo small.\x1b[0m\n\nArguments"
            ),
            "Too small.",
        ),
    ],
)
def test_an_error_of_a_layer_is_told_by_its_reason(
    monkeypatch: pytest.MonkeyPatch, error: Exception, reason: str
) -> None:
    def failing(*_: Any, **__: Any) -> keras.Model:
        raise error

    monkeypatch.setattr(cnn4, "build", failing)
    with pytest.raises(FerflowError) as raised:
        build("cnn4", 48)
    assert str(raised.value).endswith(f"'cnn4' cannot be built with input_size 48 and options {{}}: {reason}")
