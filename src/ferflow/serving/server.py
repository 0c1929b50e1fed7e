"""The application that serves one model: MLflow's scoring server behind a guard. It is what uvicorn runs.

    FERFLOW_MODEL=folder uvicorn --factory ferflow.serving.server:make_app

It needs what the model needs, and nothing else of ferflow's requirements: a container copies this package and
installs the model's own requirements.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from ferflow.serving.request_images import MOST_IMAGES, Expected
from ferflow.serving.server_guard import MOST_BYTES, ServerGuard
from ferflow.stage import heavy_imports

#: The folder of the model.
MODEL: Final = "FERFLOW_MODEL"
#: Limits of one request, for those who need others.
IMAGES_LIMIT: Final = "FERFLOW_MOST_IMAGES"
MEBIBYTES_LIMIT: Final = "FERFLOW_MOST_MEBIBYTES"


def make_app() -> ServerGuard:
    """Open the model that the environment names, and return the application that serves it."""
    with heavy_imports():
        from ferflow.tracking.scoring import scoring_application

        application, image_shape = scoring_application(Path(os.environ[MODEL]))
    expected = Expected(image_shape, int(os.environ.get(IMAGES_LIMIT, MOST_IMAGES)))
    most_bytes = int(float(os.environ.get(MEBIBYTES_LIMIT, MOST_BYTES / 2**20)) * 2**20)
    return ServerGuard(application, expected, most_bytes)
