"""MLflow's scoring server of one model, behind a guard: what uvicorn runs.

    FERFLOW_MODEL=folder uvicorn --factory ferflow.tracking.scoring_app:make_app

It needs what the model needs, and nothing else of ferflow's requirements: a container copies this package and
installs the model's own requirements.
"""

from __future__ import annotations

import os
from typing import Final

import numpy as np
from mlflow import pyfunc
from mlflow.pyfunc import scoring_server

from ferflow.serving.request_images import MOST_IMAGES, Expected
from ferflow.serving.server_guard import MOST_BYTES, ServerGuard
from ferflow.stage import heavy_imports

#: The folder, or MLflow's address, of the model.
MODEL: Final = "FERFLOW_MODEL"
#: Limits of one request, for those who need others.
IMAGES_LIMIT: Final = "FERFLOW_MOST_IMAGES"
MEBIBYTES_LIMIT: Final = "FERFLOW_MOST_MEBIBYTES"


def make_app() -> ServerGuard:
    """Open the model that the environment names, and return the application that serves it.

    The model has answered once before this returns: the first request does not wait for its tracing.
    """
    with heavy_imports():
        model = pyfunc.load_model(os.environ[MODEL])
        image_shape = tuple(model.metadata.get_input_schema().inputs[0].shape[1:])
        model.predict(np.zeros((1, *image_shape), np.uint8))
    expected = Expected(image_shape, int(os.environ.get(IMAGES_LIMIT, MOST_IMAGES)))
    most_bytes = int(float(os.environ.get(MEBIBYTES_LIMIT, MOST_BYTES / 2**20)) * 2**20)
    return ServerGuard(scoring_server.init(model), expected, most_bytes)
