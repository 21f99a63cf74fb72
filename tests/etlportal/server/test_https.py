"""Https, headers and cookies, as a plant runs the portal."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.test import Client

pytestmark = pytest.mark.django_db(databases=["default", "production"])

ROOT = Path(__file__).parents[3]
PLANT = {
    "HTTPS": "si",
    "DEBUG": "0",
    "SECRET_KEY": "k3-Vt9_wq0Zr7xYb2LmN8cPd5sFhJgTuAeXiOoQyRvWzBnMk1-Gh6pL",
    "API_KEY": "q0Zr7xYb2LmN8cPd5sFhJgTuAe",
    "API_KEY_PEPPER": "",
    "ALLOWED_HOSTS": "portale.plant.local",
    "DATABASE_URL": "",
    "PRODUCTION_DATABASE_URL": "",
}


@pytest.fixture
def https(settings):
    settings.HTTPS = settings.SECURE_SSL_REDIRECT = True
    settings.SECURE_HSTS_SECONDS = 31536000


def manage(*arguments, **environment):
    return subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=ROOT,
        env=os.environ | PLANT | environment,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("path", ["/status", "/api/v1/status/", "/ordine", "/non/esiste"])
def test_the_api_is_refused_over_http_and_not_redirected(api, https, path):
    answer = api.get(path)

    assert answer.status_code == 403
    assert answer.json()["codice"] == "https_obbligatorio"
    assert answer["X-Request-ID"] == answer.json()["request_id"]
    assert "Location" not in answer


def test_a_post_over_http_leaves_nothing(api, https):
    from ingestion.models import LottoRicevuto

    answer = api.post("/insert-postgres", [{"codice_pezzo": "P"}], content_type="application/json")

    assert answer.status_code == 403
    assert LottoRicevuto.objects.count() == 0


@pytest.mark.parametrize("path", ["/", "/admin/", "/admin/login/", "/static/etlportal/portal.css"])
def test_pages_are_redirected_to_https(anonymous, https, path):
    answer = anonymous.get(path)

    assert answer.status_code == 301
    assert answer["Location"] == f"https://testserver{path}"


def test_a_load_balancer_may_ask_over_http(anonymous, https):
    assert anonymous.get("/healthz").json() == {"ok": True}


def test_over_https_all_is_as_usual(api, https):
    answer = api.get("/status", secure=True)

    assert answer.status_code == 200
    assert "max-age=31536000" in answer["Strict-Transport-Security"]


@pytest.mark.parametrize("path", ["/admin/login/", "/status", "/healthz", "/niente"])
def test_every_answer_has_the_strict_policy_and_no_cors(api, path):
    answer = api.get(path, headers={"Origin": "https://altrove.example"})

    policy = answer["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert answer["X-Frame-Options"] == "DENY"
    assert not [name for name in answer.headers if name.lower().startswith("access-control-")]


def test_check_deploy_finds_nothing_with_a_plants_settings():
    result = manage("check", "--deploy", "--fail-level", "WARNING")

    assert result.returncode == 0, result.stderr
    assert "no issues (0 silenced)" in result.stdout


@pytest.mark.parametrize(
    ("environment", "code"),
    [
        ({"DEBUG": "1"}, "E005"),
        ({"SECRET_KEY": "django-insecure-" + "abcdefgh0123456789" * 3}, "E006"),
        ({"API_KEY": "chiave-solo-per-le-prove"}, "E006"),
        ({"API_KEY": "corta"}, "E001"),
        ({"SECRET_KEY": "corta"}, "E007"),
        ({"API_KEY_PEPPER": "a"}, "E007"),
        ({"ALLOWED_HOSTS": "*"}, "E008"),
    ],
)
class TestWhatNoPlantMayRunWith:
    def test_stops_every_command(self, environment, code):
        result = manage("qcluster", **environment)

        assert result.returncode != 0
        assert f"etlportal.{code}" in result.stderr

    def test_stops_the_web(self, environment, code):
        result = subprocess.run(
            [sys.executable, "-c", "import etlportal.wsgi"],
            cwd=ROOT,
            env=os.environ | PLANT | environment,
            capture_output=True,
            text=True,
            check=False,
        )

        assert result.returncode != 0
        assert f"etlportal.{code}" in result.stderr


def test_a_plants_web_starts():
    result = subprocess.run(
        [sys.executable, "-c", "import etlportal.wsgi"],
        cwd=ROOT,
        env=os.environ | PLANT,
        capture_output=True,
        text=True,
        check=False,
    )

    assert result.returncode == 0, result.stderr


def test_cookies_are_for_https_and_for_the_server_alone():
    result = manage(
        "shell",
        "-c",
        "from django.conf import settings as s\n"
        "print(s.SESSION_COOKIE_SECURE, s.CSRF_COOKIE_SECURE, s.SESSION_COOKIE_HTTPONLY,"
        " s.CSRF_COOKIE_HTTPONLY, s.SESSION_COOKIE_SAMESITE)",
    )

    assert result.stdout.splitlines()[-1] == "True True True True Lax"


class TestLockOut:
    @staticmethod
    def log_in(password, name="anna"):
        return Client().post("/admin/login/", {"username": name, "password": password})

    def test_after_five_failures_even_the_right_password_waits(self):
        User.objects.create_user("anna", password="giusta", is_staff=True)
        statuses = [self.log_in("sbagliata").status_code for _ in range(5)]

        locked = self.log_in("giusta")

        assert statuses[:4] == [200] * 4
        assert locked.status_code == 429
        assert "Troppi tentativi" in locked.text

    def test_others_are_not_locked_out(self):
        User.objects.create_user("bruno", password="giusta", is_staff=True)
        for _ in range(6):
            self.log_in("sbagliata", "anna")

        assert self.log_in("giusta", "bruno").status_code == 302

    def test_a_success_forgets_the_failures(self):
        User.objects.create_user("anna", password="giusta", is_staff=True)
        for _ in range(2):
            for _ in range(4):
                self.log_in("sbagliata")
            assert self.log_in("giusta").status_code == 302
