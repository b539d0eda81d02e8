"""The install script as a module, and the checkout's folder."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def root() -> Path:
    """The checkout."""
    return ROOT


@pytest.fixture
def install() -> ModuleType:
    """``utils/install.py``, loaded anew: a script outside the package."""
    spec = importlib.util.spec_from_file_location("install_script", ROOT / "utils" / "install.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["install_script"] = module
    spec.loader.exec_module(module)
    return module
