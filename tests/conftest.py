import os
import sys
from pathlib import Path

import pytest
from hypothesis import settings

ROOT = Path(__file__).resolve().parent.parent
settings.register_profile("khabar", derandomize=True, deadline=None, max_examples=60)
settings.load_profile("khabar")
sys.path.insert(0, str(ROOT / "tests"))


@pytest.fixture(scope="session")
def root() -> Path:
    return ROOT


@pytest.fixture(scope="session")
def studio_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a stopped Label Studio with a new database; tests run copies of it (`studio.running`)."""
    import studio

    return studio.template(tmp_path_factory.mktemp("studio") / "template")


@pytest.fixture(scope="session")
def sources() -> Path:
    found = os.environ.get("KHABAR_SOURCES", "")
    if not found or not Path(found).is_dir():
        pytest.skip(
            "the wire articles are not here (KHABAR_SOURCES names no folder): checks against their texts are left out"
        )
    return Path(found)
