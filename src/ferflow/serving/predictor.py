"""A model that answers about images: read side by side, classified in batches, answered in order."""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from ferflow.data.arrays import Images
from ferflow.data.decode import RejectedImageError, face
from ferflow.serving.answers import Answer, Box, Face, Rejection
from ferflow.serving.classifiers import OpenedModel
from ferflow.serving.opening import CHAMPION, open_model
from ferflow.serving.photographs import ImageOrImages, OneImage, Photograph, one_by_one, read_photograph
from ferflow.shared_machine import available_cores

if TYPE_CHECKING:
    from ferflow.serving.faces import DetectedFace, FaceDetector

#: Each may hold a photograph of 89 megapixels.
_MOST_READERS = 8
#: Enough for all cores in one forward pass of a network for small faces.
BATCH_SIZE = 64


@dataclass(frozen=True, slots=True)
class _Seen:
    """What is to be classified of one image.

    Attributes:
        image: What it is called.
        crops: uint8 of shape (n, H, W, C), a face each.
        places: Box and detection of each, None without a detector.
        rejection: Why it cannot be used.
    """

    image: str
    crops: Images
    places: Sequence[tuple[Box | None, float | None]] = ()
    rejection: Rejection | None = None


class Predictor:
    """Answers about images, by one opened model; open it once and ask as often as you like.

    Threads may share one.

    Args:
        model: What it is called, as of `ferflow.serving.opening.open_model`, or an opened model.
        detector: What finds faces; by default ferflow's own, opened when it is first needed.
    """

    def __init__(
        self, model: str | os.PathLike[str] | OpenedModel = CHAMPION, detector: FaceDetector | None = None
    ) -> None:
        self.model = model if isinstance(model, OpenedModel) else open_model(os.fspath(model))
        self._detector = detector
        self._opening_detector = threading.Lock()

    def predict(
        self, images: ImageOrImages, *, faces: bool = False, batch_size: int = BATCH_SIZE
    ) -> list[Answer]:
        """Return an answer for each image, in their order; see `answers`."""
        return list(self.answers(one_by_one(images), faces=faces, batch_size=batch_size))

    def answers(
        self, images: Iterable[tuple[str, OneImage]], *, faces: bool = False, batch_size: int = BATCH_SIZE
    ) -> Iterator[Answer]:
        """Yield an answer for each image, in their order, as soon as its batch is classified.

        Args:
            images: Each with what it is called. Only a few are in memory at a time.
            faces: Look for faces and answer for each of them; else each image is taken for one face.
            batch_size: Faces in one forward pass; only memory and speed depend on it.
        """
        waiting: list[_Seen] = []
        for seen in self._read(images, self._faces_of if faces else self._whole, 2 * batch_size):
            waiting.append(seen)
            if sum(len(each.crops) for each in waiting) >= batch_size:
                yield from self._classified(waiting, batch_size)
                waiting = []
        yield from self._classified(waiting, batch_size)

    def _read(
        self,
        images: Iterable[tuple[str, OneImage]],
        see: Callable[[OneImage], tuple[Images, Sequence[tuple[Box | None, float | None]]]],
        ahead: int,
    ) -> Iterator[_Seen]:
        """Yield what is seen in the images, in their order; they are read by several threads."""

        def look(image: str, content: OneImage) -> _Seen:
            try:
                return _Seen(image, *see(content))
            except RejectedImageError as error:
                return _Seen(image, self._no_crops(), rejection=Rejection(error.reason, error.remedy))

        coming: deque[Future[_Seen]] = deque()
        with ThreadPoolExecutor(min(available_cores(), _MOST_READERS), "read") as threads:
            try:
                for image, content in images:
                    coming.append(
                        # One object of Pillow's cannot be read by two threads, and may come twice.
                        _done(look(image, content))
                        if isinstance(content, Image.Image)
                        else threads.submit(look, image, content)
                    )
                    if len(coming) >= ahead:
                        yield coming.popleft().result()
                while coming:
                    yield coming.popleft().result()
            finally:
                # Nobody waits for images that are no longer asked for.
                threads.shutdown(cancel_futures=True)

    def _whole(self, content: OneImage) -> tuple[Images, Sequence[tuple[Box | None, float | None]]]:
        # In gray as it is: colours become gray like those of files.
        if (
            isinstance(content, np.ndarray)
            and (*content.shape[:2], 1) == content.shape == self.model.image_shape
        ):
            return content[None], [(None, None)]
        return self._crop(read_photograph(content).gray, None)[None], [(None, None)]

    def _faces_of(self, content: OneImage) -> tuple[Images, Sequence[tuple[Box | None, float | None]]]:
        photograph = read_photograph(content, in_colour=True)
        found = self._faces_in(photograph)
        crops = [self._crop(photograph.gray, each.box) for each in found]
        places = [(each.box, each.confidence) for each in found]
        return np.stack(crops) if crops else self._no_crops(), places

    def _faces_in(self, photograph: Photograph) -> Sequence[DetectedFace]:
        with self._opening_detector:
            if self._detector is None:
                from ferflow.serving.faces import FaceDetector

                self._detector = FaceDetector()
        assert photograph.colour is not None  # noqa: S101 - it was asked for
        return self._detector.detect(photograph.colour)

    def _crop(self, picture: Image.Image, box: Box | None) -> Images:
        height, _, channels = self.model.image_shape
        part, _ = face(picture, height, None if box is None else box.edges())
        return np.repeat(np.asarray(part, dtype=np.uint8)[..., None], channels, axis=2)

    def _no_crops(self) -> Images:
        return np.empty((0, *self.model.image_shape), dtype=np.uint8)

    def _classified(self, waiting: Sequence[_Seen], batch_size: int) -> Iterator[Answer]:
        if not waiting:
            return
        crops = np.concatenate([each.crops for each in waiting])
        batches = [crops[start : start + batch_size] for start in range(0, len(crops), batch_size)]
        rows = iter([row for batch in batches for row in self.model.classify(batch).tolist()])
        for each in waiting:
            found = tuple(self._face(next(rows), *place) for place in each.places)
            yield Answer(each.image, found, each.rejection)

    def _face(self, row: list[float], box: Box | None, detection: float | None) -> Face:
        probabilities = dict(zip(self.model.labels, row, strict=True))
        emotion = max(probabilities, key=probabilities.__getitem__)
        return Face(emotion, probabilities[emotion], probabilities, box, detection)


def _done(seen: _Seen) -> Future[_Seen]:
    future: Future[_Seen] = Future()
    future.set_result(seen)
    return future
