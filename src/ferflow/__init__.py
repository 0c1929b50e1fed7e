"""ferflow: facial-expression recognition as a reproducible pipeline.

Importing this package does nothing but define names: no folder is made, no tracking store is
opened, TensorFlow is not loaded.
"""

from __future__ import annotations

import os
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ferflow.serving.answers import Answer
    from ferflow.serving.photographs import ImageOrImages
    from ferflow.serving.predictor import Predictor

__version__ = "0.1.0"


def predict(
    images: ImageOrImages, *, model: str | os.PathLike[str] = "champion", faces: bool = False
) -> list[Answer]:
    """Return the emotion in each image, with the probability of every one.

    The model stays open for later calls. To see a new champion, or to choose the size of batches, use
    `ferflow.serving.predictor.Predictor`.

    Args:
        images: One or several: paths, contents of files as bytes or `data:` addresses, pictures of Pillow's,
            uint8 arrays of shape (H, W), (H, W, 1), (H, W, 3: RGB) or (N, H, W, C).
        model: An alias or a version of the registered model, a path, a run, an address of MLflow's: see
            `ferflow.serving.opening.open_model`.
        faces: Find the faces and answer for each; without, every image is taken for one face.

    Returns:
        An answer for each image, in their order. What cannot be read is answered with its `rejection`; an
        image without a face has no `faces`.

    Raises:
        FerflowError: There is no such model, or an array is none of an image.
    """
    return _predictor(os.fspath(model)).predict(images, faces=faces)


@cache
def _predictor(model: str) -> Predictor:
    from ferflow.serving.predictor import Predictor

    return Predictor(model)
