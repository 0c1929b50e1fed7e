"""The figures, with faces and without."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from matplotlib.patches import StepPatch

from ferflow import style
from ferflow.data.explanation import charts, sheets
from ferflow.data.explanation.mosaic import mosaic, pitch_of
from ferflow.data.explanation.worst import Name, find_worst
from ferflow.data.explanation.worst_sheet import shorten, worst_sheet
from ferflow.labels import EMOTIONS

from . import tables

STD = tables.MIN_PIXEL_STD


def draw_counts() -> Figure:
    return charts.counts_chart(tables.facts().as_used, "tiny")


def draw_histograms() -> Figure:
    return charts.histograms(tables.samples(), tables.splits()["split"], dataset="tiny", min_pixel_std=STD)


def test_bars_have_the_counts_and_what_is_left_out_a_panel_of_its_own() -> None:
    panels = draw_counts().axes
    assert [axes.get_title("left") for axes in panels] == ["train", "validation", "test", "left out"]
    assert [axes.get_title("right") for axes in panels] == ["2", "1", "2", "6"]
    assert [text.get_text() for text in panels[3].texts] == [
        "1  17%",
        "0",
        "1  17%",
        "2  33%",
        "1  17%",
        "0",
        "1  17%",
    ]
    nothing_left_out = tables.facts(*tables.without_defects()).as_used
    assert len(charts.counts_chart(nothing_left_out, "tiny").axes) == 3


def test_an_empty_split_is_drawn(tmp_path: Path) -> None:
    samples, splits = tables.samples(), tables.splits()
    splits["split"] = pd.Series(["train"] * len(splits), dtype="str")
    used = tables.facts(samples, splits).as_used
    style.save_png(tmp_path / "counts.png", charts.counts_chart(used, "tiny"))
    figure = charts.histograms(samples, splits["split"], dataset="tiny", min_pixel_std=STD)
    style.save_png(tmp_path / "histograms.png", figure)


def test_a_histogram_shows_shares_of_each_split_and_every_size() -> None:
    brightness, contrast, size = draw_histograms().axes
    for axes in (brightness, contrast, size):
        for patch in axes.patches:
            assert isinstance(patch, StepPatch)
            assert patch.get_data()[0].sum() == pytest.approx(1)
    assert size.get_title("right") == "48 to 64"
    samples = tables.samples().assign(width=48, height=64)
    figure = charts.histograms(samples, tables.splits()["split"], dataset="tiny", min_pixel_std=STD)
    assert figure.axes[2].get_title("right") == "all 48 × 64"


def test_mean_faces_are_exact_whatever_is_read_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    generator = np.random.default_rng(3)
    images = generator.integers(0, 256, (50, 6, 6, 1), dtype=np.uint8)
    label = pd.Series(generator.choice(EMOTIONS[1:], 50), dtype="str")
    chosen = generator.random(50) < 0.7
    monkeypatch.setattr(sheets, "_CHUNK_BYTES", 7 * 36)
    means, counts = sheets.mean_faces(images, label, chosen)
    for place, emotion in enumerate(EMOTIONS):
        mine = images[chosen & (label == emotion).to_numpy(dtype=bool), :, :, 0]
        assert counts[place] == len(mine)
        np.testing.assert_allclose(means[place], mine.mean(axis=0) if len(mine) else 0)


def test_the_difference_of_a_mean_face_is_from_the_mean_of_the_emotions_that_there_are() -> None:
    means = np.zeros((7, 4, 4))
    means[3], means[6] = 100, 140
    figure = sheets.mean_faces_sheet(means, [0, 0, 0, 5, 0, 0, 9], "tiny")
    drawn = {
        place: np.asarray(axes.images[0].get_array()) for place, axes in enumerate(figure.axes) if axes.images
    }
    assert sorted(drawn) == [3, 6, 10, 13]
    assert (drawn[10] == -20).all()
    assert (drawn[13] == 20).all()


def test_no_image_in_train_is_drawn_too(tmp_path: Path) -> None:
    nothing = np.zeros(11, dtype=bool)
    means, counts = sheets.mean_faces(tables.images(), tables.samples()["label"], nothing)
    rows = sheets.draw_samples(tables.samples()["label"], nothing, seed=1)
    assert set(map(len, rows.values())) == {0}
    style.save_png(tmp_path / "means.png", sheets.mean_faces_sheet(means, counts, "tiny"))
    style.save_png(tmp_path / "samples.png", sheets.samples_sheet(tables.images(), rows, "tiny"))


def test_samples_are_drawn_by_the_seed_and_each_emotion_by_itself() -> None:
    label = pd.Series(["happy", "sad"] * 50, dtype="str")
    everything = np.ones(100, dtype=bool)
    rows = sheets.draw_samples(label, everything, seed=1)
    assert rows == sheets.draw_samples(label, everything, seed=1)
    assert rows != sheets.draw_samples(label, everything, seed=2)
    assert all(len(set(rows[emotion])) == 10 for emotion in ("happy", "sad"))
    assert (label[rows["sad"]] == "sad").all()
    without_sad = sheets.draw_samples(label, (label == "happy").to_numpy(dtype=bool), seed=1)
    assert without_sad["happy"] == rows["happy"]
    assert without_sad["sad"] == []


def test_a_mosaic_has_each_face_in_its_place_and_white_elsewhere() -> None:
    images = np.stack([np.full((32, 32, 1), level, dtype=np.uint8) for level in (10, 20, 30)])
    sheet = mosaic(images, [[0, 1], [2]], columns=2)
    assert pitch_of(images) == 34
    assert sheet.shape == (66, 66)
    assert (sheet[:32, :32] == 10).all()
    assert (sheet[:32, 34:] == 20).all()
    assert (sheet[34:, :32] == 30).all()
    assert (sheet[32:34] == 255).all()
    assert (sheet[34:, 34:] == 255).all()


def test_the_worst_are_found_with_their_labels_names_and_splits() -> None:
    blank, contradiction, crossing = find_worst(tables.samples(), tables.splits()["split"], STD)
    (only,) = blank.exhibits
    assert (only.row, only.labels, only.samples) == (7, ("neutral",), 1)
    assert only.names == (Name("train/neutral/7.png", "train"),)
    assert blank.note.endswith("less than 2: 1 image in 1 group")
    (only,) = contradiction.exhibits
    assert (only.labels, only.samples) == (("angry", "fear"), 2)
    assert only.names == (Name("train/fear/5.png", "train"), Name("train/angry/6.png", "train"))
    names = [[(name.source, name.split) for name in exhibit.names] for exhibit in crossing.exhibits]
    assert names == [
        [("train/happy/0.png", "train"), ("val/happy/2.png", "val")],
        [("train/sad/4.png", "train"), ("test/sad/3.png", "test")],
        [("val/neutral/8.png", "val"), ("test/neutral/9.png", "test")],
    ]
    assert crossing.note == "the same pixels in two splits: 3 groups"


def test_where_no_split_is_declared_copies_cross_the_splits_in_which_they_are_used() -> None:
    samples = tables.without_declared_splits(tables.samples())
    split = tables.samples()["usage"]
    crossing = find_worst(samples, split, STD)[-1]
    assert (crossing.title, len(crossing.exhibits)) == ("Copies across splits", 3)
    kept_apart = find_worst(samples, tables.splits()["split"], STD)
    assert [defect.title for defect in kept_apart] == ["Blank images", "Contradictions"]


def test_an_image_in_all_three_splits_is_shown_once() -> None:
    samples = tables.samples().assign(sha256="x", std=50.0)
    crossing = find_worst(samples, samples["usage"], STD)[-1]
    assert len(crossing.exhibits) == 1
    assert crossing.note == "the same pixels in two splits: 1 group"


def test_many_are_cut_to_twelve_the_largest_groups_first() -> None:
    count = 40
    pixels = [f"{number // 2:x}" for number in range(count)]
    pixels[-3:] = ["largest"] * 3
    samples = pd.DataFrame(
        {
            "label": ["happy", "sad"] * (count // 2),
            "source": [f"{number}.png" for number in range(count)],
            "usage": ["train"] * count,
            "sha256": pixels,
            "std": [50.0] * count,
        }
    )
    (contradictions,) = find_worst(samples, samples["usage"], STD)
    assert len(contradictions.exhibits) == 12
    assert [exhibit.samples for exhibit in contradictions.exhibits[:2]] == [3, 2]
    assert contradictions.note.endswith(": 19 groups, 12 of them here")


def test_nothing_wrong_is_nothing_to_show() -> None:
    samples, splits = tables.without_defects()
    assert find_worst(samples, splits["split"], STD) == []


def test_any_name_can_be_drawn(tmp_path: Path) -> None:
    # Han characters are not in the font, and two dollar signs would be mathematics.
    names = ["面/顔.png", "$a$_{.png", "schön/naïve.png", "a\nb\tc.png", "\\", "", *"abcde"]
    defects = find_worst(tables.samples().assign(source=names), tables.samples()["usage"], STD)
    style.save_png(tmp_path / "worst.png", worst_sheet(tables.images(), defects, "$顔$"))
    style.save_png(tmp_path / "counts.png", charts.counts_chart(tables.facts().as_used, "$顔$"))


@pytest.mark.parametrize(
    ("text", "drawn"),
    [("schön.png", "schön.png"), ("顔 1", "□ 1"), ("a\nb", "a b"), ("$x$", r"\$x\$")],
)
def test_printable(text: str, drawn: str) -> None:
    assert style.printable(text) == drawn


@pytest.mark.parametrize(
    ("source", "shown"),
    [
        ("train/happy/1.png", "train/happy/1.png"),
        ("data/train/surprise/1.png", "train/surprise/1.png"),
        ("train/happy/PrivateTest_89606792.jpg", "PrivateTest_89606792.jpg"),
        ("train/" + 30 * "x" + "1.png", "…" + 18 * "x" + "1.png"),
    ],
)
def test_a_long_name_keeps_its_end(source: str, shown: str) -> None:
    assert shorten(source) == shown
    assert len(shown) <= 24
