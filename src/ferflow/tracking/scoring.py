"""MLflow's scoring server of one model, as an application that a web server runs."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
from mlflow import pyfunc
from mlflow.environment_variables import _MLFLOW_IS_IN_SERVING_ENVIRONMENT
from mlflow.pyfunc import scoring_server


def scoring_application(folder: Path) -> tuple[Any, tuple[int, int, int]]:
    """Return MLflow's ASGI application for a model, and the (H, W, C) of the images that it takes.

    The model has answered once before this returns: the first request does not wait for its tracing.

    Args:
        folder: The model as MLflow wrote it.
    """
    model = pyfunc.load_model(str(folder))
    height, width, channels = model.metadata.get_input_schema().inputs[0].shape[1:]
    model.predict(np.zeros((1, height, width, channels), np.uint8))
    application = scoring_server.init(model)
    # By this the model knows that nobody else counts the images of a request. Here the guard does.
    os.environ.pop(_MLFLOW_IS_IN_SERVING_ENVIRONMENT.name, None)
    return application, (height, width, channels)
