from __future__ import annotations

import io
import os
import sys
from pathlib import Path
from typing import Any

import keras
import pytest
from keras import layers
from matplotlib.figure import Figure

from ferflow import models, style
from ferflow.models.inspection.drawing import architecture_figure
from ferflow.models.inspection.graph import bottlenecks, steps_of
from ferflow.models.inspection.stages import stages_of
from ferflow.models.inspection.summary import summary
from ferflow.models.inspection.words import repeated


def residual(x: Any, width: int, *, stride: int = 1) -> Any:
    branch = layers.Conv2D(width, 3, strides=stride, padding="same")(x)
    branch = layers.Conv2D(width, 3, padding="same")(layers.ReLU()(branch))
    if stride > 1:
        x = layers.Conv2D(width, 1, strides=stride)(x)
    return layers.Activation("relu")(layers.Add()([branch, x]))


def network() -> keras.Model:
    inputs = x = keras.Input((16, 16, 1), dtype="uint8", name="image")
    x = layers.Rescaling(1 / 255)(x)
    x = nested()(keras.ops.image.resize(x, (18, 18)))
    x = layers.Dropout(0.5)(layers.GlobalAveragePooling2D()(x))
    x = layers.Dense(12, activation="relu")(x)
    return keras.Model(inputs, layers.Softmax()(layers.Dense(7)(x)))


def nested() -> keras.Model:
    inputs = keras.Input((18, 18, 1))
    x = layers.Conv2D(4, 3, padding="same")(inputs)
    x = layers.Conv2D(8, 3, strides=2)(layers.ZeroPadding2D(1)(x))
    x = residual(residual(residual(x, 8), 8), 8)
    x = residual(x, 16, stride=2)
    inner = keras.Model(inputs, x, name="inner")
    return keras.Model(inputs, inner(inputs), name="backbone")


def test_a_stage_is_what_gives_maps_of_one_size() -> None:
    model = network()
    stages = stages_of(model)
    assert [stage.shape for stage in stages] == [
        (18, 18, 1),
        (18, 18, 4),
        (9, 9, 8),
        (5, 5, 16),
        (12,),
        (7,),
    ]
    assert [stage.lines for stage in stages] == [
        ["image 16 × 16 × 1 · Rescaling · Resize to 18 × 18 × 1"],
        ["Conv2D 3×3, 4"],
        [
            "ZeroPadding2D · Conv2D 3×3, 8, stride 2",
            "3 × residual block: 2 Conv2D of 3×3 · 2 ReLU · Add",
        ],
        ["residual block: 3 Conv2D (2 of 3×3, 1 of 1×1) · 2 ReLU · Add"],
        ["GlobalAveragePooling2D · Dropout 0.5 · Dense 12, relu"],
        ["Dense 7 · Softmax"],
    ]
    assert [stage.network for stage in stages] == [None, "backbone", "backbone", "backbone", None, None]
    assert [stage.parameters for stage in stages] == [
        0,
        4 * 9 + 4,
        8 * 4 * 9 + 8 + 6 * (8 * 8 * 9 + 8),
        16 * (8 * 9 + 16 * 9 + 8) + 3 * 16,
        12 * 17,
        7 * 13,
    ]
    assert [stage.flops for stage in stages] == [
        0,
        2 * 18 * 18 * 4 * 9,
        2 * 81 * (8 * 4 * 9 + 6 * 8 * 8 * 9),
        2 * 25 * 16 * (8 * 9 + 16 * 9 + 8),
        2 * 12 * 16,
        2 * 7 * 12,
    ]


def test_bottlenecks_are_where_nothing_goes_around() -> None:
    inputs = keras.Input((8, 8, 1))
    stem = layers.Conv2D(2, 3, name="stem")(inputs)
    left, right = layers.Conv2D(2, 1, name="left")(stem), layers.Conv2D(2, 1, name="right")(stem)
    joined = layers.Add(name="joined")([layers.ReLU(name="longer")(left), right])
    steps = steps_of(keras.Model(inputs, layers.Flatten(name="end")(joined)))
    named = [steps[place].operation.name for place in bottlenecks(steps)]
    assert named[1:] == ["stem", "joined", "end"]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("abc", [("a", 1), ("b", 1), ("c", 1)]),
        ("aaab", [("a", 3), ("b", 1)]),
        ("xababab", [("x", 1), ("ab", 3)]),
        ("ababcababc", [("ababc", 2)]),
        ("", []),
    ],
)
def test_repeated_words_are_counted(words: str, expected: list[tuple[str, int]]) -> None:
    found = repeated([*words])
    assert [("".join(pattern), times) for pattern, times in found] == expected
    assert "".join("".join(pattern) * times for pattern, times in found) == words


ENTRIES: dict[str, tuple[str, dict[str, Any]]] = {
    "cnn4": ("cnn4", {}),
    "attention": ("residual", {"attention": "both"}),
    "resnet": ("backbone", {"network": "ResNet50", "head": [1024]}),
    "branches": ("backbone", {"network": "InceptionV3", "pooling": "flatten"}),
    "depthwise": ("backbone", {"network": "MobileNetV3Small", "weights": None}),
}


@pytest.mark.parametrize("entry", ENTRIES)
def test_all_of_a_network_is_on_the_page_and_no_text_is_cut(entry: str, tmp_path: Path) -> None:
    architecture, options = ENTRIES[entry]
    model = models.build(architecture, (48, 48, 1), 7, input_size=75, options=options)
    figure = architecture_figure(model, entry)
    style.save_png(tmp_path / "architecture.png", figure)
    assert figure.get_figheight() < 16 < 1.7 * 9.6  # a page
    stages = stages_of(model)
    assert sum(stage.parameters for stage in stages) == model.count_params()
    assert_separate(figure)
    shown = " ".join(text.get_text() for text in [*figure.axes[0].texts])
    shown = " ".join(shown.replace("\N{NO-BREAK SPACE}", " ").split())
    for stage in stages:
        for line in stage.lines:
            assert " ".join(line.split()) in shown


def assert_separate(figure: Figure) -> None:
    """No text lies on another or leaves the page."""
    texts = [text for text in [*figure.texts, *figure.axes[0].texts] if text.get_text()]
    boxes = [text.get_window_extent().padded(-1) for text in texts]
    for place, box in enumerate(boxes):
        assert figure.bbox.x0 < box.x0 < box.x1 < figure.bbox.x1, texts[place].get_text()
        assert figure.bbox.y0 < box.y0 < box.y1 < figure.bbox.y1, texts[place].get_text()
        for other in range(place):
            assert not box.overlaps(boxes[other]), (texts[place].get_text(), texts[other].get_text())


def test_a_layer_that_cannot_be_counted_has_a_question_mark(tmp_path: Path) -> None:
    inputs = keras.Input((8, 8, 1), name="image")
    x = layers.Reshape((64, 1))(inputs)
    model = keras.Model(inputs, layers.Dense(7)(layers.LSTM(4)(x)))
    figure = architecture_figure(model, "odd $name$ 顔")
    style.save_png(tmp_path / "architecture.png", figure)
    texts = [text.get_text() for text in figure.axes[0].texts]
    assert texts.count("?") == 1
    assert not any("FLOPs an image" in text.get_text() for text in figure.texts)


def test_equal_models_give_equal_bytes(tmp_path: Path) -> None:
    for name in ("first.png", "second.png"):
        style.save_png(tmp_path / name, architecture_figure(network(), "model"))
    assert (tmp_path / "first.png").read_bytes() == (tmp_path / "second.png").read_bytes()


def test_another_kind_of_model_is_refused() -> None:
    class Own(keras.Model):  # type: ignore[misc]
        def call(self, x: Any) -> Any:
            return x

    with pytest.raises(ValueError, match="Own is neither a functional nor a sequential model"):
        architecture_figure(Own(), "own")


def test_the_summary_is_the_same_on_every_console(monkeypatch: pytest.MonkeyPatch) -> None:
    model = network()
    monkeypatch.delenv("COLUMNS", raising=False)
    expected = summary(model)
    for columns, encoding in (("40", "ascii"), ("300", "utf-8")):
        monkeypatch.setenv("COLUMNS", columns)
        monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(io.BytesIO(), encoding=encoding))
        assert summary(model) == expected
        assert os.environ["COLUMNS"] == columns
    lines = expected.splitlines()
    assert max(map(len, lines)) == 100 and not any(line != line.rstrip() for line in lines)
    assert "\x1b" not in expected and "┃ Layer (type)" in expected
    assert "conv2d" in expected and f"Total params: {model.count_params():,}" in expected
