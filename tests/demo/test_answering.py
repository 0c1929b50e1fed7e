"""The page's questions and their answers, without a browser: what is said, and what is never said."""

from __future__ import annotations

import base64
import dataclasses
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from PIL import Image

from ferflow.demo import answering as module
from ferflow.demo.answering import MOST_BYTES, Answering
from ferflow.demo.offer import Models, Registry
from ferflow.demo.samples import samples
from ferflow.errors import FerflowError
from ferflow.serving.classifiers import OpenedModel

from . import invented


def answering(detector: Any = None, models: Models | None = None) -> Answering:
    detector = detector or invented.Detector((60, 80, 200, 220), (220, 20, 290, 90))
    return Answering(models or Models(invented.opened(), None), None, detector, samples())


def question(content: bytes | None = None, **others: Any) -> dict[str, Any]:
    picture = {} if content is None else {"picture": base64.b64encode(content).decode()}
    return {"first": Models.GIVEN, **picture, **others}


PHOTO = invented.encoded(invented.portrait(), "JPEG")


def test_each_face_has_its_numbered_box_and_all_probabilities() -> None:
    found = answering().answer(question(PHOTO))
    assert found["said"] == "2 faces: all happy"
    assert found["answer"].count('class="box"') == 2 and found["answer"].count("<table") == 2
    assert found["answer"].count('<th scope="row">') == 14
    assert "left: 17.0" in found["answer"], "60 of 352 pixels"
    assert "0.7435" in found["models"] and "trained on" in found["models"]


def test_a_box_that_reaches_beyond_the_picture_is_cut() -> None:
    found = answering(invented.Detector((-50, -50, 100, 100), (400, 400, 500, 500))).answer(question(PHOTO))
    assert found["said"] == "One face: happy"
    assert "left: 0.0%; top: 0.0%" in found["answer"]


def test_without_a_face_nothing_is_guessed() -> None:
    found = answering(invented.Detector()).answer(question(PHOTO))
    assert found["said"] == "No face found"
    assert "No face was found" in found["answer"]
    assert "happy" not in found["answer"] and "<table" not in found["answer"]


def test_what_is_a_face_already_is_not_searched_for_one() -> None:
    detector = invented.Detector()
    found = answering(detector).answer(question(PHOTO, is_face=True))
    assert found["said"] == "One face: happy" and detector.asked == 0
    assert 'class="box"' not in found["answer"]


def test_a_model_that_cannot_be_looked_into_says_so() -> None:
    assert "There is no map" in answering().answer(question(PHOTO))["answer"]


def test_a_map_that_fails_costs_nobody_the_answer(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: Any) -> Any:
        raise RuntimeError("a step\nthat nobody thought of")

    monkeypatch.setattr("ferflow.models.inspection.explained.explained", fail)
    given = dataclasses.replace(invented.opened(), keras=object())
    found = answering(models=Models(given, None)).answer(question(PHOTO))
    assert found["said"] == "2 faces: all happy" and found["answer"].count("There is no map") == 2
    assert capsys.readouterr().err == "warning: no map of invented: a step that nobody thought of\n"


def test_two_models_are_put_side_by_side() -> None:
    models = Models(invented.opened(number="1"), lambda number: invented.opened("sad", number))
    found = answering(models=models).answer(question(PHOTO, first="1", second="2"))
    assert found["said"] == "2 faces: the models differ on 2"
    assert found["answer"].count("they differ") == 2 and found["answer"].count("<table") == 4
    one = answering(invented.Detector((60, 80, 200, 220)), models).answer(
        question(PHOTO, first="1", second="2")
    )
    assert one["said"] == "One face: the models differ (happy, sad)"
    agreed = answering(models=models).answer(question(PHOTO, first="2", second="3"))
    assert agreed["said"] == "2 faces: both models say all sad"
    itself = answering(models=models).answer(question(PHOTO, first="2", second="2"))
    assert itself["said"] == "2 faces: all sad" and itself["answer"].count("<table") == 2


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "empty file"),
        (b"This is a text.\n" * 9, "not an image"),
        (invented.huge_png(), "too many pixels"),
        (invented.animation(), "3 frames in one file"),
        (PHOTO[:4000], "used: damaged image."),
        (b"\0\0\0\x18ftypheic" + bytes(99), "HEIC is not read. Save it as JPEG."),
    ],
)
def test_what_is_no_picture_is_told_with_a_remedy(content: bytes, words: str) -> None:
    found = answering().answer(question(content))
    assert words in found["said"] and found["said"].endswith(".")
    assert words.partition(".")[0] in found["answer"] and "<table" not in found["answer"]
    assert "its source" not in found["said"] and "remove" not in found["said"], (
        "who asks has no folder to mend"
    )


def test_sixteen_bits_are_a_picture_like_any_other() -> None:
    assert answering().answer(question(invented.sixteen_bits()))["said"] == "2 faces: all happy"


def test_the_model_is_shown_before_the_first_picture() -> None:
    found = answering().answer(question())
    assert found["answer"] == found["said"] == "" and "invented" in found["models"]


def test_every_sample_has_an_answer() -> None:
    for name, sample in samples().items():
        found = answering().answer(question(sample=name, is_face=sample.is_face))
        assert found["said"] == ("One face: happy" if sample.is_face else "2 faces: all happy")


def test_names_that_people_choose_are_text() -> None:
    evil = '<img src=x onerror="alert(1)">'
    models = Models(
        invented.opened(number="1", name=evil), lambda number: invented.opened("sad", number, evil)
    )
    found = answering(models=models).answer(question(PHOTO, first="1", second="2"))
    assert "<img src=x" not in found["answer"] + found["models"]
    assert "&lt;img src=x" in found["models"]


def test_a_model_that_cannot_be_opened_tells_the_page_nothing_of_this_machine(
    capsys: pytest.CaptureFixture[str],
) -> None:
    def fail(number: str) -> OpenedModel:
        raise FerflowError(f"/home/ada/secret/{number} is missing: https://ada:word@store.example.org")

    registry = Registry(lambda: ({"7": "version 7 (gone)", "1": "version 1"}, "1"))
    models = Models(invented.opened(number="1"), fail)
    page = Answering(models, registry, invented.Detector((60, 80, 200, 220)), samples())
    found = page.answer(question(PHOTO, first="7"))
    assert found["said"] == "Version 7 (gone) cannot be opened now. The terminal says why."
    assert found["models"] == "", "whose facts were there is not what was asked for"
    assert "secret" not in str(found)
    told = capsys.readouterr().err
    assert "/home/ada/secret/7" in told and "word" not in told
    both = page.answer(question(PHOTO, first="7", second="1"))
    assert both["said"] == "One face: happy. Version 7 (gone) cannot be opened now."
    assert both["answer"].count("<table") == 1 and 'id="closed"' in both["answer"]
    assert both["models"].count("modelfacts") == 1


def test_a_defect_of_ours_tells_the_page_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    class Broken(invented.Detector):
        def detect(self, picture: Image.Image) -> Any:
            raise RuntimeError(f"in /home/ada {picture}")

    found = answering(Broken()).answer(question(PHOTO))
    assert found["said"] == "Something went wrong here. The terminal says what."
    assert "/home/ada" not in str(found) and "in /home/ada" in capsys.readouterr().err


@pytest.mark.parametrize(
    "asked",
    [
        None,
        [],
        {"first": "given", "picture": {"path": "/etc/passwd", "meta": {"_type": "gradio.FileData"}}},
        {"first": "given", "path": "/etc/passwd"},
        {"first": ["given"]},
        {"first": "given", "is_face": "yes"},
        {"first": "given", "sample": "../../etc/passwd"},
        {"first": "given", "picture": "no base64!"},
        {"first": "/etc/passwd"},
        {"first": "9" * 5000},
    ],
)
def test_no_question_of_another_make_is_answered(asked: Any) -> None:
    found = answering().answer(asked)
    assert found["said"] and "<table" not in found["answer"] and "root:" not in str(found)


def test_a_file_beyond_the_limit_is_not_opened() -> None:
    assert "too large" in answering().answer(question(bytes(MOST_BYTES + 1)))["said"]


def test_pictures_do_not_wait_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each that waits is held in memory."""
    monkeypatch.setattr(module, "_MOST_WAITING", 1)
    started, go_on = threading.Event(), threading.Event()

    class Slow(invented.Detector):
        def detect(self, picture: Image.Image) -> Any:
            started.set()
            assert go_on.wait(10)
            return super().detect(picture)

    page = answering(Slow((0, 0, 90, 90)))
    with ThreadPoolExecutor() as threads:
        first = threads.submit(page.answer, question(PHOTO))
        assert started.wait(10)
        assert page.answer(question(PHOTO))["said"] == "Too many pictures are waiting. Try again in a moment."
        go_on.set()
        assert first.result()["said"] == "One face: happy"
    assert page.answer(question(PHOTO))["said"] == "One face: happy"
