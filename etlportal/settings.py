"""Settings, all of them; every value that a plant sets comes from the environment (.env.example).

The rules behind the numbers are in docs/adr/ and in the comments beside them.
"""

import re
from datetime import timedelta
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

import environ
from csp.constants import NONE, SELF
from django.core.exceptions import ImproperlyConfigured
from django.utils.translation import gettext_lazy as _

BASE_DIR = Path(__file__).resolve().parent.parent

env = environ.Env()
env.read_env(BASE_DIR / ".env")


def required(name: str) -> str:
    """The value of an environment variable that nothing works without."""
    value = env.str(name, default="").strip()
    if not value:
        raise ImproperlyConfigured(
            f"Manca {name}: va indicata nell'ambiente o nel file .env (vedi .env.example)."
        )
    return value


def number(name: str, default: str, *, whole: bool = False) -> Decimal:
    """A positive number in the environment, with a decimal point; ``whole``: an integer."""
    text = env.str(name, default=default).strip()
    try:
        value = Decimal(text)
    except InvalidOperation:
        value = Decimal("NaN")
    if not value.is_finite() or value <= 0 or (whole and value != int(value)):
        kind = "un numero intero positivo" if whole else "un numero positivo, per esempio 24.5"
        raise ImproperlyConfigured(f"{name} deve essere {kind}. Trovato: {text}.")
    return value


def whole(name: str, default: str) -> int:
    return int(number(name, default, whole=True))


def up_to(most: int, name: str, *, default: str) -> int:
    """A whole number from 0 to ``most`` in the environment."""
    text = env.str(name, default=default).strip()
    if not re.fullmatch("[0-9]{1,9}", text) or int(text) > most:
        raise ImproperlyConfigured(
            f"{name} deve essere un numero intero da 0 a {most}. Trovato: {text}."
        )
    return int(text)


def one_of(name: str, *allowed: str) -> str:
    """An environment variable with few possible values; the first is the default."""
    value = env.str(name, default=allowed[0])
    if value not in allowed:
        raise ImproperlyConfigured(f"{name} può essere: {', '.join(allowed)}. Trovato: {value}.")
    return value


SECRET_KEY = required("SECRET_KEY")
API_KEY = required("API_KEY")
# What the named keys' hashes are made with; changing it, or SECRET_KEY without it, ends them all.
API_KEY_PEPPER = env.str("API_KEY_PEPPER", default="").strip() or SECRET_KEY
# Whether the portal is reached over https only: True in a plant, off to try it on one machine.
HTTPS = one_of("HTTPS", "si", "no") == "si"
DEBUG = env.bool("DEBUG", default=False)
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["localhost", "127.0.0.1", "[::1]"])
CSRF_TRUSTED_ORIGINS = env.list("CSRF_TRUSTED_ORIGINS", default=[])

INSTALLED_APPS = [
    "etlportal.apps.EtlPortalConfig",
    "etlportal.apps.PortalAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "rest_framework",
    "drf_spectacular_sidecar",
    "axes",
    "csp",
    "django_q",
    "production",
    "ingestion",
    "orders",
    "logviewer",
]

MIDDLEWARE = [
    "etlportal.api.middleware.RequestIdMiddleware",
    "logviewer.context.LogContextMiddleware",
    "etlportal.server.https.HttpsOnlyMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "csp.middleware.CSPMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "axes.middleware.AxesMiddleware",
]

ROOT_URLCONF = "etlportal.urls"
WSGI_APPLICATION = "etlportal.wsgi.application"
APPEND_SLASH = False  # an API client may not follow a redirect with its body

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]

# --- Language and time ------------------------------------------------------------------

LANGUAGE_CODE = "it"
LANGUAGES = [("it", _("Italiano")), ("en", _("Inglese"))]
LOCALE_PATHS = [BASE_DIR / "etlportal" / "locale"]
TIME_ZONE = env.str("TIME_ZONE", default="Europe/Rome")
USE_TZ = True

# --- Databases --------------------------------------------------------------------------

DATA_DIR = Path(env.str("DATA_DIR", default=str(BASE_DIR)))


def sqlite(name: str) -> dict[str, Any]:
    """An embedded database, for trying out: a web and a worker process may share it."""
    return {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": DATA_DIR / name,
        "OPTIONS": {
            # A deferred transaction that turns to writing fails at once with "database is
            # locked"; IMMEDIATE makes it wait its turn instead.
            "transaction_mode": "IMMEDIATE",
            "timeout": 20,
            "init_command": (
                "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA busy_timeout=20000;"
            ),
        },
        # A second in-process connection of a test must see the same data: not in memory.
        "TEST": {"NAME": DATA_DIR / f"test_{name}"},
    }


def at_server(url: str, engine: str, **options: Any) -> dict[str, Any]:
    """A database server; what the address itself asks for goes before these options."""
    config: dict[str, Any] = environ.Env.db_url_config(url, engine=engine)
    config["OPTIONS"] = options | config.get("OPTIONS", {})
    return config


def postgresql(url: str) -> dict[str, Any]:
    return at_server(
        url,
        "logviewer.backends.postgresql",
        connect_timeout=5,
        options="-c statement_timeout=60s -c lock_timeout=20s "
        "-c idle_in_transaction_session_timeout=300s",
    )


def mysql(url: str) -> dict[str, Any]:
    return at_server(
        url,
        "logviewer.backends.mysql",
        charset="utf8mb4",
        isolation_level="read committed",
        connect_timeout=5,
        read_timeout=60,
        write_timeout=60,
        init_command="SET SESSION innodb_lock_wait_timeout=20",
    )


DATABASE_URL = env.str("DATABASE_URL", default="")
PRODUCTION_DATABASE_URL = env.str("PRODUCTION_DATABASE_URL", default="")
if bool(DATABASE_URL) != bool(PRODUCTION_DATABASE_URL):
    missing = "PRODUCTION_DATABASE_URL" if DATABASE_URL else "DATABASE_URL"
    raise ImproperlyConfigured(
        f"Manca {missing}: servono tutte e due le basi di dati, oppure nessuna per provare."
    )

DATABASES = {
    "default": postgresql(DATABASE_URL) if DATABASE_URL else sqlite("staging.sqlite3"),
    "production": (
        mysql(PRODUCTION_DATABASE_URL) if PRODUCTION_DATABASE_URL else sqlite("production.sqlite3")
    ),
}
for database in DATABASES.values():
    # No connection outlives its request: each of gunicorn's many threads would keep its own, and
    # PostgreSQL takes 100 by default. A new one costs a few milliseconds.
    database |= {"CONN_MAX_AGE": 0, "ATOMIC_REQUESTS": False}
# The plant's other programs read these tables: local plant time, not UTC. It is where the
# plant stands, not a choice; TIME_ZONE above is how the pages show times.
DATABASES["production"]["TIME_ZONE"] = "Europe/Rome"

DATABASE_ROUTERS = ["etlportal.routers.AppRouter"]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

CACHES = {
    "default": {
        # Shared by every process and host: the worker's heartbeat is read from the web.
        "BACKEND": "django.core.cache.backends.db.DatabaseCache",
        "LOCATION": "cache",
    }
}

# --- The queue --------------------------------------------------------------------------

Q_CLUSTER = {
    "name": "etlportal",
    "orm": "default",
    "workers": 2,
    # A prefetched task ages in a worker's queue and would be handed out twice.
    "queue_limit": 1,
    "bulk": 1,
    "timeout": 900,
    "retry": 2700,
    "max_attempts": 1,
    "ack_failures": True,
    "catch_up": False,
    "poll": 1,
    "guard_cycle": 0.5,
    "recycle": 100,
    "save_limit": 250,
    "label": _("Coda"),
}

# --- HTTP and the admin -----------------------------------------------------------------

AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]
AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",
    "django.contrib.auth.backends.ModelBackend",
]
# A name that fails too often from one address waits. Behind a proxy all come from one address.
AXES_FAILURE_LIMIT = 5
AXES_COOLOFF_TIME = timedelta(minutes=15)
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_RESET_ON_SUCCESS = True
AXES_LOCKOUT_TEMPLATE = "429.html"
AXES_ENABLE_ADMIN = False
AXES_VERBOSE = False
CSRF_FAILURE_VIEW = "etlportal.api.handlers.csrf_failure"
LOGIN_URL = "admin:login"
STATIC_URL = "static/"
STATIC_ROOT = BASE_DIR / "static"
WHITENOISE_USE_FINDERS = True

# Pages are redirected to https; the API refuses plain http instead (HttpsOnlyMiddleware).
SECURE_SSL_REDIRECT = HTTPS
SECURE_REDIRECT_EXEMPT = [r"^healthz/?$"]
SECURE_HSTS_SECONDS = 365 * 24 * 3600 if HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = HTTPS
SECURE_HSTS_PRELOAD = HTTPS
SESSION_COOKIE_SECURE = HTTPS
SESSION_COOKIE_AGE = 12 * 3600  # a shift, and some
CSRF_COOKIE_SECURE = HTTPS
CSRF_COOKIE_HTTPONLY = True
X_FRAME_OPTIONS = "DENY"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF, "data:"],
        "font-src": [SELF],
        "connect-src": [SELF],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
        "base-uri": [NONE],
    }
}

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["etlportal.api.authentication.ApiKeyAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["etlportal.api.permissions.HasScope"],
    "DEFAULT_THROTTLE_CLASSES": ["etlportal.api.throttling.KeyRateThrottle"],
    "DEFAULT_PARSER_CLASSES": ["etlportal.api.parsers.RawBodyParser"],
    "DEFAULT_RENDERER_CLASSES": ["etlportal.api.renderers.Utf8JsonRenderer"],
    "DEFAULT_CONTENT_NEGOTIATION_CLASS": "etlportal.api.renderers.AlwaysJson",
    "EXCEPTION_HANDLER": "etlportal.api.handlers.handle_exception",
    "DEFAULT_METADATA_CLASS": "etlportal.api.renderers.Methods",
    "UNAUTHENTICATED_USER": None,
}

# Requests a minute for each key; above, 429 with Retry-After.
API_RICHIESTE_MINUTO = whole("API_RICHIESTE_MINUTO", "600")

MAX_BODY_BYTES = 10 * 1024 * 1024
MAX_RECORDS = 10_000
# The body parser counts bytes itself, so that the answer is ours and not an HTML page.
DATA_UPLOAD_MAX_MEMORY_SIZE = None

# --- Transfer (what a value beyond a limit becomes: docs/regole.md, "Convalida") ---------------

TRANSFER_BATCH_SIZE = whole("TRANSFER_BATCH_SIZE", "2000")
# Seconds for which POST /process-transfer and /aggiorna/ordine wait before they answer 202.
RUN_WAIT_SECONDS = env.float("RUN_WAIT_SECONDS", default=20)
# A run whose heartbeat is older than this is taken for dead.
RUN_DEAD_AFTER = timedelta(seconds=whole("RUN_DEAD_AFTER_SECONDS", "180"))

# Minutes for which the same bytes from the same key are a repetition; 0: never. Used only for
# requests that carry neither an Idempotency-Key nor the flow engine's own id.
DEDUP_MINUTI = up_to(30 * 24 * 60, "DEDUP_MINUTI", default="30")  # batches are kept for 30 days

PLAUSIBILITY_LIMITS: dict[str, Any] = {
    "peso_max": number("PESO_MAX", "1000"),
    "temperatura_min": number("TEMPERATURA_MIN", "700"),
    "temperatura_max": number("TEMPERATURA_MAX", "1200"),
    "pezzi_ora_max": whole("PEZZI_ORA_MAX", "10000"),
    "durata_max_ore": number("DURATA_MAX_ORE", "24"),
    "tolleranza_futuro_minuti": whole("TOLLERANZA_FUTURO_MINUTI", "60"),
}

# The parts of the admin's panel "Provenienza", in the chain's order.
PROVENIENZA = (
    "ingestion.admin.provenance.steps",
    "production.admin.provenance.own_steps",
    "orders.admin.provenance.steps",
)

# --- Orders -------------------------------------------------------------------------------

# What the stock holds: "finiti" (finished pieces) or "grezzi" (blanks, one for each piece made).
MAGAZZINO_CONTENUTO = one_of("MAGAZZINO_CONTENUTO", "finiti", "grezzi")
# Whether GET /ordine makes up lines when no order waits.
ORDINI_FITTIZI = one_of("ORDINI_FITTIZI", "crea", "no")
# A waiting order is shown as late when it began so many days ago: no order has a day it is due.
ORDINI_IN_RITARDO_GIORNI = whole("ORDINI_IN_RITARDO_GIORNI", "14")

# --- Alerts and purge -----------------------------------------------------------------------

# Who is told when a problem begins and when it ends; neither = nobody is.
AVVISI_EMAIL = env.list("AVVISI_EMAIL", default=[])
AVVISI_WEBHOOK = env.str("AVVISI_WEBHOOK", default="").strip()
if AVVISI_WEBHOOK and not AVVISI_WEBHOOK.startswith(("https://", "http://")):
    raise ImproperlyConfigured("AVVISI_WEBHOOK deve essere un indirizzo http:// o https://.")
# The portal's address as people type it, for the link in an alert.
PORTALE_URL = env.str("PORTALE_URL", default="").strip()
EMAIL_TIMEOUT = 10
# smtp://, smtp+tls:// (STARTTLS), smtp+ssl://; without it an alert by e-mail cannot leave.
vars().update(env.email_url("EMAIL_URL", default="smtp://localhost:25"))
DEFAULT_FROM_EMAIL = env.str("AVVISI_MITTENTE", default="etlportal@localhost")

# check_etl complains below so much free space for logs and data.
DISCO_MINIMO_MB = whole("DISCO_MINIMO_MB", "500")

# Days for which loaded records stay in staging, so that a restored MySQL can be filled again.
RAW_GIORNI = whole("RAW_GIORNI", "30")
# Days for which runs that ended are kept.
ESECUZIONI_GIORNI = whole("ESECUZIONI_GIORNI", "365")

# --- Logs ---------------------------------------------------------------------------------

LOG_DIR = Path(env.str("LOG_DIR", default=str(BASE_DIR / "logs")))
LOG_LEVEL = one_of("LOG_LEVEL", "INFO", "DEBUG", "WARNING", "ERROR")
# A file larger than this becomes a rotated piece; so many pieces are kept of each.
LOG_MAX_MB = number("LOG_MAX_MB", "20")
LOG_COPIE = whole("LOG_COPIE", "5")
# Milliseconds beyond which a statement is logged as slow; rows from which an insert is a load.
LOG_QUERY_LENTE_MS = float(number("LOG_QUERY_LENTE_MS", "1000"))
LOG_CARICO_RIGHE = whole("LOG_CARICO_RIGHE", "100")


def logger(handler: str, *filters: str) -> dict[str, Any]:
    return {
        "handlers": [handler],
        "level": LOG_LEVEL,
        "propagate": False,
        "filters": list(filters),
    }


# No line shows these, whatever brings them there.
SECRETS = [SECRET_KEY, API_KEY, API_KEY_PEPPER]
SECRETS += [str(database["PASSWORD"]) for database in DATABASES.values() if "PASSWORD" in database]

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"()": "logviewer.handlers.LineFormatter", "secrets": SECRETS}},
    "filters": {
        "run": {"()": "logviewer.context.RunContext"},
        "run_end": {"()": "logviewer.context.RunContext", "ends": True},
    },
    "handlers": {
        "console": {"class": "logging.StreamHandler", "formatter": "line"},
    }
    | {
        name: {
            "class": "logviewer.handlers.SharedFileHandler",
            "filename": LOG_DIR / f"{name}.log",
            "max_bytes": int(LOG_MAX_MB * 1024 * 1024),
            "copies": LOG_COPIE,
            "formatter": "line",
        }
        for name in ("etl", "periodic", "postgresql", "mysql")
    },
    "root": {"handlers": ["console"], "level": "WARNING"},
    "loggers": {
        "etl": logger("etl", "run"),
        "periodic": logger("periodic", "run_end"),
        "postgresql": logger("postgresql"),
        "mysql": logger("mysql"),
        # Their lines for a caller's mistakes show the address or the host that was sent.
        "django.request": {"level": "ERROR"},
        "django.security.DisallowedHost": {"level": "CRITICAL"},
        "django_q": logger("console") | {"level": "WARNING"},
    },
}
