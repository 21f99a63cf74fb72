"""WSGI entry point: ``gunicorn etlportal.wsgi``. Insecure settings stop the start."""

import os
import sys

from django.core.checks import Tags, run_checks
from django.core.wsgi import get_wsgi_application

from etlportal.server.chunked import reading_chunked
from etlportal.server.turns import taking_turns

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "etlportal.settings")

application = taking_turns(reading_chunked(get_wsgi_application()))

if errors := [check for check in run_checks(tags=[Tags.security]) if check.is_serious()]:
    sys.exit("\n".join(str(error) for error in errors))
