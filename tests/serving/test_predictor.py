from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ferflow.data.decode import face, gray_picture
from ferflow.serving.answers import Box
from ferflow.serving.photographs import OneImage
from ferflow.serving.predictor import Predictor

from .pictures import LABELS, SIDE, BrightHalves, Recorder, encoded, flat, model, noise, written


def test_answers_come_in_the_order_of_the_images_whatever_the_batches() -> None:
    levels = [0, 250, 130, 10, 240, 120, 5]
    images = [encoded(flat(level, side=20 + level)) for level in levels]
    for batch_size in (1, 2, 3, 7, 50):
        answers = Predictor(model()).predict(images, batch_size=batch_size)
        assert [answer.emotion for answer in answers] == [
            "dark", "bright", "medium", "dark", "bright", "medium", "dark",
        ]  # fmt: skip


def test_faces_are_classified_in_batches() -> None:
    recorder = Recorder()
    Predictor(model(recorder)).predict(np.zeros((10, SIDE, SIDE, 1), np.uint8), batch_size=4)
    assert recorder.batches == [4, 4, 2]


def test_an_image_is_cut_and_scaled_as_for_training(tmp_path: Path) -> None:
    file = tmp_path / "noise.png"
    file.write_bytes(encoded(noise(90, 70)))
    recorder = Recorder()
    Predictor(model(recorder)).predict(str(file))
    expected, _ = face(gray_picture(file), SIDE)
    np.testing.assert_array_equal(recorder.faces[0][0, :, :, 0], np.asarray(expected))


def test_a_file_its_content_and_its_levels_get_the_same_answer(tmp_path: Path) -> None:
    for format_ in ("PNG", "JPEG"):
        content = encoded(noise(), format_)
        file = tmp_path / f"noise.{format_.lower()}"
        file.write_bytes(content)
        levels = np.asarray(Image.open(io.BytesIO(content)))
        answers = Predictor(model()).predict([str(file), content, levels])
        assert len({tuple(answer.faces[0].probabilities.values()) for answer in answers}) == 1


def test_probabilities_are_named_in_the_order_of_the_model() -> None:
    [answer] = Predictor(model()).predict(flat(255))
    [found] = answer.faces
    assert list(found.probabilities) == list(LABELS)
    assert (found.emotion, found.box, found.detection) == ("bright", None, None)
    assert found.probability == found.probabilities["bright"] == answer.probabilities["bright"]  # type: ignore[index]


def test_a_model_with_three_channels_gets_gray_in_each() -> None:
    recorder = Recorder()
    Predictor(model(recorder, channels=3)).predict([noise()])
    [faces] = recorder.faces
    assert faces.shape == (1, SIDE, SIDE, 3)
    np.testing.assert_array_equal(faces[..., 0], faces[..., 2])


def test_what_cannot_be_read_is_answered_with_the_reason_and_the_rest_goes_on(tmp_path: Path) -> None:
    good, other = written(tmp_path, {"good.png": 255, "other.png": 0})
    (tmp_path / "broken.png").write_text("no image")
    answers = Predictor(model()).predict([good, str(tmp_path / "broken.png"), other], batch_size=1)
    assert [answer.status for answer in answers] == ["answered", "rejected", "answered"]
    assert answers[1].rejection is not None
    assert answers[1].rejection.reason == "not an image"
    assert (answers[1].faces, answers[1].emotion) == ((), None)


def test_only_unreadable_images_are_answered_too() -> None:
    assert [answer.status for answer in Predictor(model()).predict([b"", b"x"])] == ["rejected"] * 2
    assert Predictor(model()).predict([]) == []


def halves(left: int, right: int) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    picture = np.zeros((20, 30, 3), np.uint8)
    picture[:, :10], picture[:, 10:] = left, right
    return picture


def test_every_face_is_answered_with_its_box_and_a_picture_without_one_is_not_guessed() -> None:
    recorder = Recorder()
    predictor = Predictor(model(recorder), BrightHalves())  # type: ignore[arg-type]
    both, none, one = predictor.predict([halves(250, 128), halves(0, 0), halves(255, 0)], faces=True)
    assert [(each.emotion, each.box) for each in both.faces] == [
        ("medium", Box(10, 0, 30, 20)), ("bright", Box(0, 0, 10, 20)),
    ]  # fmt: skip
    assert (both.emotion, both.faces[0].detection) == ("medium", 0.99)
    assert (none.status, none.faces, none.emotion, none.probabilities) == ("no face", (), None, None)
    assert [each.emotion for each in one.faces] == ["bright"]
    assert recorder.batches == [3]


def test_faces_of_one_picture_may_be_in_several_batches() -> None:
    recorder = Recorder()
    predictor = Predictor(model(recorder), BrightHalves())  # type: ignore[arg-type]
    answers = predictor.predict([halves(250, 128)] * 3, faces=True, batch_size=3)
    assert [len(answer.faces) for answer in answers] == [2, 2, 2]
    assert recorder.batches == [3, 1, 2]


def test_no_more_images_are_read_than_are_about_to_be_classified() -> None:
    read = 0

    def images() -> Iterator[tuple[str, OneImage]]:
        nonlocal read
        for number in range(100):
            read += 1
            yield str(number), flat(number)

    answers = Predictor(model()).answers(images(), batch_size=5)
    next(answers)
    assert read <= 20
    assert len(list(answers)) == 99


def test_an_answer_that_nobody_waits_for_stops_the_reading() -> None:
    answers = Predictor(model()).answers(((str(number), flat(number)) for number in range(500)), batch_size=2)
    next(answers)
    answers.close()  # type: ignore[attr-defined]
    with pytest.raises(StopIteration):
        next(answers)


def test_one_picture_of_pillows_may_come_several_times(tmp_path: Path) -> None:
    file = tmp_path / "large.png"
    file.write_bytes(encoded(noise(900, 900)))
    [expected] = Predictor(model()).predict(str(file))
    # Opened, and not read yet: threads would read it at once.
    picture = Image.open(file)
    answers = Predictor(model()).predict([picture] * 8)
    assert {answer.faces[0].probability for answer in answers} == {expected.faces[0].probability}
    assert {answer.status for answer in answers} == {"answered"}


def test_colours_become_gray_even_in_the_size_of_a_model_of_three_channels() -> None:
    recorder = Recorder()
    Predictor(model(recorder, channels=3)).predict(noise(SIDE, SIDE))
    [faces] = recorder.faces
    np.testing.assert_array_equal(faces[..., 0], faces[..., 2])
