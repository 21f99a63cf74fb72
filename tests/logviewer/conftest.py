import pytest


@pytest.fixture
def logs(settings, tmp_path):
    """The folder that the endpoints, pages and commands read; the handlers write elsewhere."""
    settings.LOG_DIR = tmp_path / "logs"
    settings.LOG_DIR.mkdir()
    return settings.LOG_DIR
