"""The code that travels with a registered model: uint8 images in, named probabilities out.

MLflow copies this file into the model ("models from code"), so it must import nothing of ferflow: the
model opens wherever keras, pandas and mlflow are.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd
from mlflow.exceptions import MlflowException
from mlflow.models import set_model
from mlflow.pyfunc import PythonModel, PythonModelContext

#: Few, since a model may look at ten views of each image at once.
_BATCH = 32
#: In one request to a server, where a longer one would keep the others waiting; in Python there is no limit.
_MOST_SERVED = 256
#: MLflow sets it in the process of its server.
_IS_SERVED = "_MLFLOW_IS_IN_SERVING_ENVIRONMENT"


class EmotionModel(PythonModel):  # type: ignore[misc]
    """A Keras model whose probabilities carry the emotions' names."""

    def load_context(self, context: PythonModelContext) -> None:
        """Open the model and the names of its classes."""
        self._model = keras.saving.load_model(context.artifacts["keras_model"], compile=False)
        self._labels = json.loads(Path(context.artifacts["labels"]).read_text(encoding="utf-8"))

    def predict(
        self,
        context: PythonModelContext,  # noqa: ARG002
        # The plain class: MLflow knows it as "see the signature", and warns of any other hint.
        model_input: np.ndarray,
        params: dict[str, Any] | None = None,  # noqa: ARG002
    ) -> pd.DataFrame:
        """Return one row of probabilities for each image, a column for each emotion.

        Args:
            context: Not used.
            model_input: uint8 of shape (N, H, W, 1).
            params: Not used.

        Raises:
            MlflowException: It is one request to a server, with too many images.
        """
        if os.environ.get(_IS_SERVED) and len(model_input) > _MOST_SERVED:
            raise MlflowException.invalid_parameter_value(
                f"{len(model_input)} images in one request: send at most {_MOST_SERVED} at a time."
            )
        images = np.asarray(model_input, dtype=np.uint8)
        batches = [
            self._model.predict_on_batch(images[start : start + _BATCH])
            for start in range(0, len(images), _BATCH)
        ]
        probabilities = np.concatenate(batches) if batches else np.empty((0, len(self._labels)), np.float32)
        return pd.DataFrame(probabilities, columns=self._labels)


set_model(EmotionModel())
