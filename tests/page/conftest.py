from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from ferflow.page.inputs import Inputs
from ferflow.page.reading import read_inputs

from .invented_reports import Reports, write_reports


@pytest.fixture(scope="session")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Reports:
    """Reports of three models, the last of them near chance; not to be changed."""
    return write_reports(tmp_path_factory.mktemp("reports"))


@pytest.fixture
def reports(pristine: Reports, tmp_path: Path) -> Reports:
    """The same reports in a folder of their own, to be changed."""
    shutil.copytree(pristine.reports.parent, tmp_path / "invented")
    paths = {
        name: tmp_path / "invented" / getattr(pristine, name).name
        for name in ("reports", "data_report", "validation")
    }
    return replace(pristine, **paths)


@pytest.fixture(scope="session")
def inputs(pristine: Reports) -> Inputs:
    """What is read of them."""
    return read(pristine)


def read(reports: Reports) -> Inputs:
    folders = {model: reports.of(model) for model in reports.models}
    return read_inputs(
        reports.reports, folders, data_report=reports.data_report, validation=reports.validation
    )
