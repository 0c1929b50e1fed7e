"""The application that serves one model: MLflow's scoring server behind a guard. It is what uvicorn runs.

    FERFLOW_MODEL=folder uvicorn --factory ferflow.serving.server:make_app

It needs what the model needs, and nothing else of ferflow's requirements: a container copies this package and
installs the model's own requirements.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from ferflow.errors import FerflowError
from ferflow.serving.limits import limits_of
from ferflow.serving.request_images import Expected
from ferflow.serving.server_guard import ServerGuard
from ferflow.stage import heavy_imports

#: The folder of the model.
MODEL: Final = "FERFLOW_MODEL"


def make_app() -> ServerGuard:
    """Open the model that the environment names, and return the application that serves it.

    Raises:
        FerflowError: A limit is no number, or the model cannot be opened.
    """
    limits = limits_of()
    folder = Path(os.environ[MODEL])
    with heavy_imports():
        from ferflow.tracking.scoring import scoring_application

        try:
            application, image_shape = scoring_application(folder)
        except Exception as error:
            # Whatever comes up in MLflow, Keras or the model's own code.
            reason = " ".join(str(error).split())[:300] or type(error).__name__
            raise FerflowError(f"the model in {folder} cannot be opened: {reason}") from error
    return ServerGuard(application, Expected(image_shape, limits.images, limits.pixels), limits)


def require_opening() -> None:
    """Return if the model can be opened: for a process that is asked just that.

    Raises:
        FerflowError: As of `make_app`.
    """
    try:
        make_app()
    except FerflowError as error:
        # Without its cause, which another process may not be able to read.
        raise FerflowError(str(error)) from None
