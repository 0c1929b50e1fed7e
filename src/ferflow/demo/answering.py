"""A question of the page's, answered: a picture and what to do with it in, words and pictures out."""

from __future__ import annotations

import base64
import binascii
import sys
import threading
import time
import traceback
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ferflow.data.decode import RejectedImageError
from ferflow.demo import pictures
from ferflow.demo.looking import Detector, Opinion, Seen, faces_in, opinions
from ferflow.demo.offer import Models, Registry, Standing
from ferflow.demo.samples import Sample
from ferflow.demo.words import for_visitors, heading, model_facts, rendered
from ferflow.errors import FerflowError, without_credentials
from ferflow.serving.photographs import Photograph, read_photograph
from ferflow.serving.predictor import Predictor

#: Of a picture; phones make 3 to 12 MB. `page.js` says the same.
MOST_BYTES: Final = 20 * 2**20
#: Questions that wait at a time: each holds its picture in memory.
_MOST_WAITING: Final = 8
_SEE_TERMINAL: Final = "The terminal says why."


class Question(BaseModel):
    """What the page asks.

    Attributes:
        picture: A file's content in base64, or None.
        sample: The name of a sample instead, or None.
        is_face: The picture is a face already: none is looked for.
        first: The key of the model that answers.
        second: The key of another one to compare with; empty for none.
    """

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    picture: Annotated[str, Field(max_length=4 * MOST_BYTES // 3 + 4)] | None = None
    sample: Annotated[str, Field(max_length=40)] | None = None
    is_face: bool = False
    first: Annotated[str, Field(max_length=20)]
    second: Annotated[str, Field(max_length=20)] = ""


class Answering:
    """Answers the page's questions, looking at one picture at a time.

    Args:
        models: The models that it may ask for.
        registry: Of what there is; None if the model is in no registry.
        detector: What finds faces.
        samples: The sample pictures by name.
    """

    def __init__(
        self, models: Models, registry: Registry | None, detector: Detector, samples: Mapping[str, Sample]
    ) -> None:
        self._models = models
        self._registry = registry
        self._detector = detector
        self._samples = samples
        self._turn = threading.Lock()
        self._places = threading.BoundedSemaphore(_MOST_WAITING)

    def answer(self, asked: Any) -> dict[str, Any]:
        """Return `models`, `answer` and `said`: HTML, HTML and one line of text for those who do not see.

        Whatever goes wrong is told in words that say nothing about this machine; the terminal says the rest.
        """
        if not self._places.acquire(blocking=False):
            return _problem("Too many pictures are waiting. Try again in a moment.")
        try:
            question = Question.model_validate(asked)
            return self._answer(question)
        except ValidationError:
            return _problem("The page is of another version than its server. Reload it.")
        except _UnusableError as error:
            return _problem(str(error))
        except Exception:
            traceback.print_exc()
            return _problem("Something went wrong here. The terminal says what.")
        finally:
            self._places.release()

    def standing(self) -> Standing:
        """Return which versions there are and who is champion, as far as is known."""
        return Standing() if self._registry is None else self._registry.standing()

    def _answer(self, question: Question) -> dict[str, Any]:
        # One that is compared with itself is asked once.
        keys = dict.fromkeys([question.first, *([question.second] if question.second else [])])
        asked, closed = self._opened([*keys])
        champion = self.standing().champion
        facts = rendered("models.html.j2", models=[model_facts(each.model, champion) for each in asked])
        content = self._content(question)
        if not asked:
            return _problem(" ".join(closed), _SEE_TERMINAL, models=facts)
        if content is None:
            answer = (
                rendered("problem.html.j2", words=" ".join(closed), remedy=_SEE_TERMINAL) if closed else ""
            )
            return {"models": facts, "answer": answer, "said": " ".join(closed)}
        with self._turn:
            found = self._answer_about(content, question.is_face, asked, closed)
        return {"models": facts, **found}

    def _opened(self, keys: Sequence[str]) -> tuple[list[Predictor], list[str]]:
        """Return the models that can be opened, and what the page says of the others."""
        asked, closed = [], []
        for key in keys:
            try:
                asked.append(self._models.predictor(key))
            except FerflowError as error:
                print(f"error: {without_credentials(str(error))}", file=sys.stderr, flush=True)
                title = self.standing().versions.get(key, "this model")
                closed.append(f"{title[:1].upper()}{title[1:]} cannot be opened now.")
        return asked, closed

    def _answer_about(
        self, content: bytes, is_face: bool, asked: Sequence[Predictor], closed: Sequence[str]
    ) -> dict[str, Any]:
        start = time.perf_counter()
        try:
            photograph = read_photograph(content, in_colour=True)
        except RejectedImageError as error:
            reason, remedy = for_visitors(content, error)
            return _problem(f"This picture cannot be used: {reason}.", remedy)
        faces = faces_in(photograph, None if is_face else self._detector)
        said = [opinions(each, faces) for each in asked]
        shown = _shown(photograph, faces, asked, said)
        words = heading(said)
        answer = rendered(
            "answer.html.j2",
            heading=words,
            seconds=time.perf_counter() - start,
            is_face=is_face,
            closed=closed,
            **shown,
        )
        return {"answer": answer, "said": ". ".join([words, *closed])}

    def _content(self, question: Question) -> bytes | None:
        if question.sample is not None:
            if question.sample not in self._samples:
                raise _UnusableError("There is no such sample.")
            return self._samples[question.sample].content
        if question.picture is None:
            return None
        try:
            content = base64.b64decode(question.picture, validate=True)
        except binascii.Error:
            raise _UnusableError("The picture did not arrive whole. Try again.") from None
        if len(content) > MOST_BYTES:
            raise _UnusableError(f"This file is too large: at most {MOST_BYTES // 2**20} MB.")
        return content


class _UnusableError(Exception):
    """A question without an answer; its message is for the page."""


def _shown(
    photograph: Photograph,
    faces: Sequence[Seen],
    asked: Sequence[Predictor],
    said: Sequence[Sequence[Opinion]],
) -> dict[str, Any]:
    """Return what the answer's template shows: the picture, and for each face what each model says."""
    width, height = photograph.gray.size
    return {
        "width": width,
        "height": height,
        "picture": pictures.whole(photograph.colour or photograph.gray),
        "faces": [
            {
                "box": seen.box,
                "detection": seen.detection,
                "picture": pictures.of_face(seen.crop),
                "opinions": [
                    {
                        "model": predictor.model.title,
                        "face": each[number].face,
                        "heat": _heat_picture(seen, each[number]),
                    }
                    for predictor, each in zip(asked, said, strict=True)
                ],
            }
            for number, seen in enumerate(faces)
        ],
    }


def _heat_picture(seen: Seen, opinion: Opinion) -> str | None:
    return None if opinion.heat is None else pictures.with_heat(seen.crop, opinion.heat)


def _problem(words: str, remedy: str = "", *, models: str | None = None) -> dict[str, Any]:
    """Return an answer that is a problem; the facts of the models stay as they are unless given."""
    answer = rendered("problem.html.j2", words=words, remedy=remedy)
    return {
        "answer": answer,
        "said": f"{words} {remedy}".strip(),
        **({} if models is None else {"models": models}),
    }
