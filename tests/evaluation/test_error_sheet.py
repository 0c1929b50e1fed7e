from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Annotation
from PIL import Image

from ferflow import style
from ferflow.evaluation.error_sheet import choose_errors, error_sheet
from ferflow.evaluation.outcomes import Outcomes

SIZE = 16


def outcomes(*answers: tuple[int, int, float]) -> Outcomes:
    """Samples by actual and predicted emotion and the probability of the latter."""
    actual, predicted, sure = (np.array(values) for values in zip(*answers, strict=True))
    probabilities = np.repeat((1 - sure[:, None]) / 6, 7, axis=1)
    probabilities[np.arange(len(sure)), predicted] = sure
    names = np.array([f"{number:04d}" for number in range(len(sure))], dtype=object)
    return Outcomes(names, actual.astype(np.intp), predicted.astype(np.intp), probabilities)


def faces(count: int) -> npt.NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, (count, SIZE, SIZE, 1), dtype=np.uint8)


def labels(figure: Figure) -> list[str]:
    """The labels below the faces: the first half, in ink, and the second, in colour."""
    words = [text.get_text().split() for text in figure.axes[0].texts]
    return [" ".join(words[place] + words[place + 1]) for place in range(0, len(words), 2)]


def picture(figure: Figure) -> npt.NDArray[np.uint8]:
    (image,) = figure.axes[0].images
    return np.asarray(image.get_array())


def test_the_surest_errors_come_first_and_right_answers_never() -> None:
    found = outcomes((0, 1, 0.5), (2, 2, 0.99), (3, 4, 0.9), (5, 6, 0.7))
    assert choose_errors(found).tolist() == [2, 3, 0]
    assert choose_errors(found, most=2).tolist() == [2, 3]


def test_one_confusion_does_not_hide_the_others() -> None:
    found = outcomes(*[(0, 1, 0.9 - 0.01 * number) for number in range(5)], (1, 0, 0.3), (0, 2, 0.2))
    assert choose_errors(found, most_alike=2).tolist() == [0, 1, 5, 6]
    assert choose_errors(found, most=3, most_alike=2).tolist() == [0, 1, 5]


def test_of_equally_sure_errors_the_first_id_is_first() -> None:
    found = outcomes(*[(number % 7, (number + 1) % 7, 1 / 7) for number in range(30)])
    assert choose_errors(found).tolist() == [*range(21)]  # three of each of seven confusions


def test_no_error_is_said_and_drawn(tmp_path: Path) -> None:
    right = outcomes((0, 0, 0.9), (1, 1, 0.8))
    chosen = choose_errors(right)
    assert len(chosen) == 0
    sheet = error_sheet(faces(0), np.zeros((0, SIZE, SIZE), np.float32), right, chosen, "cnn4")
    assert [text.get_text() for text in sheet.axes[0].texts] == [
        "No error: every image of the test split is right."
    ]
    assert any("0 of 0 errors on 2 images" in text.get_text() for text in sheet.texts)
    style.save_png(tmp_path / "errors.png", sheet)


def test_each_face_has_its_labels_and_its_probability() -> None:
    found = outcomes((0, 1, 0.5), (2, 6, 1.0), (3, 3, 0.9))
    chosen = choose_errors(found)
    assert labels(error_sheet(faces(2), None, found, chosen, "cnn4")) == [
        "fear → neutral 100%",
        "angry → disgust 50%",
    ]


def test_faces_stand_in_their_order_with_the_overlay_beside() -> None:
    found = outcomes(*[(number % 7, (number + 1) % 7, 0.9 - number / 100) for number in range(6)])
    shown = faces(6)
    maps = np.zeros((6, SIZE, SIZE), np.float32)
    maps[5, :8, :8] = 1.0
    sheet = picture(error_sheet(shown, maps, found, choose_errors(found), "cnn4"))
    gray = np.repeat(shown, 3, axis=3)
    found_at = []
    for face in gray:
        windows = np.lib.stride_tricks.sliding_window_view(sheet, face.shape)[:, :, 0]
        found_at.append(np.argwhere((windows == face).all(axis=(2, 3, 4))).tolist())
    # Where nothing speaks for the prediction, the overlay is the face itself.
    assert [len(places) for places in found_at] == [2, 2, 2, 2, 2, 1]
    firsts = [places[0] for places in found_at]
    assert firsts == sorted(firsts) and firsts[0] == [0, 0]
    top, left = firsts[5]
    beside = left + found_at[0][1][1] - firsts[0][1]
    overlay = sheet[top : top + SIZE, beside : beside + SIZE]
    np.testing.assert_array_equal(overlay[8:], gray[5, 8:])
    np.testing.assert_array_equal(overlay[:, 8:], gray[5, :, 8:])
    tinted = overlay[:8, :8].reshape(-1, 3).mean(axis=0)
    assert tinted[0] > tinted[1] > tinted[2] + 50  # orange


@pytest.mark.parametrize(("count", "explained"), [(1, True), (1, False), (24, True), (24, False)])
def test_no_label_leaves_the_sheet_or_meets_another(tmp_path: Path, count: int, explained: bool) -> None:
    """With the longest words on every place."""
    found = outcomes(*[(5, 1 + number % 2, 0.996) for number in range(count)])
    maps = np.full((count, SIZE, SIZE), 0.5, np.float32) if explained else None
    sheet = error_sheet(
        faces(count), maps, found, np.arange(count), "a_model_with_a_name_as_long_as_names_get"
    )
    style.save_png(tmp_path / "errors.png", sheet)
    with Image.open(tmp_path / "errors.png") as image:
        assert image.width == 1920
    texts = [text for text in sheet.axes[0].texts if isinstance(text, Annotation)]
    assert len(texts) == 2 * count
    boxes = [text.get_window_extent() for text in texts]
    inside = sheet.bbox
    for box in [*boxes, *(text.get_window_extent() for text in sheet.texts)]:
        assert box.x0 >= inside.x0 and box.x1 <= inside.x1 and box.y0 >= inside.y0 and box.y1 <= inside.y1
    assert not any(
        one.overlaps(other) and one.x0 + 1 < other.x0 < one.x1 - 1
        for place, one in enumerate(boxes)
        for other in boxes[place + 1 :]
    )


def test_equal_input_gives_equal_bytes(tmp_path: Path) -> None:
    found = outcomes((0, 1, 0.5), (2, 6, 1.0))
    for name in ("first.png", "second.png"):
        maps = np.full((2, SIZE, SIZE), 0.3, np.float32)
        style.save_png(
            tmp_path / name, error_sheet(faces(2), maps, found, choose_errors(found), "odd $name$ 顔")
        )
    assert (tmp_path / "first.png").read_bytes() == (tmp_path / "second.png").read_bytes()


@pytest.mark.parametrize(("faces_given", "maps_given"), [(1, 2), (2, 1)])
def test_a_face_and_a_map_for_each_error(faces_given: int, maps_given: int) -> None:
    found = outcomes((0, 1, 0.5), (2, 6, 1.0))
    maps = np.zeros((maps_given, SIZE, SIZE), np.float32)
    with pytest.raises(ValueError, match="for each of 2 errors"):
        error_sheet(faces(faces_given), maps, found, choose_errors(found), "cnn4")
