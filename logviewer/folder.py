"""Where the logs are: views, pages and command ask here, and tell those below."""

from pathlib import Path

from django.conf import settings


def log_folder() -> Path:
    return Path(settings.LOG_DIR)
