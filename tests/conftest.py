from __future__ import annotations

from typing import Final

import pytest

#: What takes longest begins first: no worker is left alone with minutes of work at the end.
LONGEST: Final = ("test_pipeline.py", "test_resume.py", "test_architectures.py")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    places = {name: place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: places.get(item.path.name, len(LONGEST)))
