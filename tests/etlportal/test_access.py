"""Who may call what: every URL of the portal × every method × every kind of caller.

The tables below are the portal's access rules, written out a second time on purpose. A URL that
they do not name fails the walk: whoever adds one says here who may call it.
"""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.contrib.auth.models import Group, User
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, reverse
from django.utils import timezone

from etlportal import roles
from etlportal.api import keys
from tests.builders import ANNA

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
FLUSSO, LETTURA, MANUTENZIONE = "flusso", "lettura", "manutenzione"
ANY_KEY = {FLUSSO, LETTURA, MANUTENZIONE}

# Name of the route → address to try, and the scopes that each method takes.
API = {
    "insert-postgres": ("/insert-postgres", {"POST": {FLUSSO}}),
    "run-etl": ("/run-etl", {"POST": {FLUSSO}}),
    "process-transfer": ("/process-transfer", {"POST": {FLUSSO}}),
    "status": ("/status", {"GET": ANY_KEY}),
    "ordine": ("/ordine", {"GET": {FLUSSO, LETTURA}}),
    "aggiorna/ordine": ("/aggiorna/ordine", {"POST": {FLUSSO}}),
    "actions": ("/actions", {"GET": {LETTURA}}),
    "actions/errors": ("/actions/errors", {"GET": {LETTURA}}),
    "anomalie/nuove": ("/anomalie/nuove", {"GET": {FLUSSO, LETTURA}}),
    "logs": ("/logs", {"GET": {LETTURA}}),
    "mysql-logs": ("/mysql-logs", {"GET": {LETTURA}}),
    "postgresql-logs": ("/postgresql-logs", {"GET": {LETTURA}}),
    "log-cron": ("/log-cron", {"GET": {LETTURA}}),
    "clear-logs": ("/clear-logs?file=niente", {"GET": {MANUTENZIONE}, "POST": {MANUTENZIONE}}),
    "api-schema": ("/api/schema", {"GET": ANY_KEY}),
    "connector-definition": (
        "/api/v1/connector/apiDefinition.swagger.json",
        {"GET": {LETTURA}},
    ),
    "connector-properties": ("/api/v1/connector/apiProperties.json", {"GET": {LETTURA}}),
}
# What needs no key: the process's health, and a run's signed address.
OPEN = {"healthz": "/healthz", "esecuzione": "/esecuzioni/falso"}
# What staff may read with their session too.
ALSO_STAFF = {"api-schema"}
# Pages outside the admin that send or lead to it.
PAGES = {
    "home": "/",
    "set_language": "/i18n/setlang/",
    None: "/admin",
    "api-docs": "/api/docs",  # staff's session, or the log-in page: api/test_schema.py
}

OPERATORE, CAPOTURNO, ADMIN = "operatore", "capoturno", "admin"
ALL = {OPERATORE, CAPOTURNO, ADMIN}
SHIFT = {CAPOTURNO, ADMIN}
LOOK = {"view": ALL}
MASTER = {"view": ALL, "add": {ADMIN}, "change": {ADMIN}, "delete": {ADMIN}}

# Model → who may look at, add, change and delete its rows. Superusers alone where nothing is said.
MODELS = {
    "ingestion.rawoperazione": LOOK,
    "ingestion.lottoricevuto": LOOK,
    "ingestion.esecuzioneetl": LOOK,
    "production.operazione": LOOK,
    "production.anomaliaoperazione": LOOK,
    "production.pezzo": MASTER,
    "production.macchinario": MASTER,
    "production.operatore": MASTER,
    "production.acciaio": MASTER,
    "production.tipofermo": MASTER,
    "production.anomalia": {"view": ALL, "change": {ADMIN}},
    # Only orders that are still open can be deleted: see orders/admin/test_admin.py.
    "orders.ordine": {"view": ALL, "add": {ADMIN}, "change": SHIFT},
    "orders.cliente": MASTER,
    "orders.magazzino": {"view": ALL, "add": {ADMIN}, "change": SHIFT},
    "orders.movimentoproduzione": LOOK,
    "orders.movimentomagazzino": LOOK,
    # No key can be edited; who may change the list may revoke.
    "etlportal.chiaveapi": {"view": {ADMIN}, "add": {ADMIN}, "change": {ADMIN}},
    "etlportal.voceaudit": {"view": {ADMIN}},
    "auth.user": {"view": {ADMIN}, "add": {ADMIN}, "change": {ADMIN}, "delete": {ADMIN}},
    "auth.group": {},
    "django_q.schedule": {},
    "django_q.success": {},
    "django_q.failure": {},
    "django_q.ormq": {},
}
PERMISSION_OF = {"changelist": "view", "change": "view", "add": "add", "delete": "delete"}

# Other pages of the admin: arguments, and who may open or POST to them.
ADMIN_PAGES = {
    "guida": ([], "GET", ALL),
    "guida_immagine": (["oggi"], "GET", ALL),
    "ingestion_rawoperazione_by_uid": (["00000000-0000-7000-8000-000000000000"], "GET", ALL),
    "ingestion_lottoricevuto_corpo": (["00000000-0000-7000-8000-000000000000"], "GET", ALL),
    "ingestion_esecuzioneetl_trasferisci": ([], "POST", SHIFT),
    "production_anomaliaoperazione_prendi": ([], "GET", ALL),
    "production_anomaliaoperazione_annota": ([], "GET", ALL),
    "production_anomaliaoperazione_accetta": ([], "GET", SHIFT),
    "production_anomaliaoperazione_chiudi": ([], "GET", SHIFT),
    "production_anomaliaoperazione_riapri": ([], "GET", SHIFT),
    "ingestion_rawoperazione_scarta": ([], "GET", SHIFT),
    "orders_ordine_aggiorna": ([], "POST", SHIFT),
    "orders_ordine_annulla": ([1], "GET", SHIFT),
    "orders_ordine_riapri": ([1], "GET", SHIFT),
    "orders_magazzino_rettifica": ([1], "GET", SHIFT),
    "auth_user_password_change": ([999], "GET", {ADMIN}),
    "logviewer_registro_changelist": ([], "GET", SHIFT),
    "logviewer_file": ([], "GET", SHIFT),
    "logviewer_lines": ([], "GET", SHIFT),
    "logviewer_download": ([], "GET", SHIFT),
    "logviewer_backup": (["etl.20260101T000000Z.log.gz"], "GET", SHIFT),
    "logviewer_clear": ([], "POST", {ADMIN}),
    "filtro_salva": (
        [],
        "POST",
        ALL,
    ),  # 400 without a list: lists/test_saved_filters.py
    "filtro_elimina": ([999], "POST", ALL),  # 404: everybody has their own
}
# Lists as files, of every list: who may is in etlportal/lists/test_exports.py.
EXPORTS = ("_esporta_csv", "_esporta_xlsx")
# The frame, for every user of the staff; what each shows follows the permissions above.
FRAME = {
    *("index", "login", "logout", "password_change", "password_change_done"),
    *("autocomplete", "jsi18n", "view_on_site", "app_list"),
}

pytestmark = pytest.mark.django_db(databases=["default", "production"])


def routes(resolver: URLResolver, inside: str = "") -> Iterator[tuple[str, str | None]]:
    """(where, name) of every URL; where is "api" or "admin"."""
    for pattern in resolver.url_patterns:
        where = inside or ("admin" if str(pattern.pattern) == "admin/" else "api")
        if isinstance(pattern, URLPattern):
            yield where, pattern.name
        else:
            yield from routes(pattern, where)


ROUTES = list(routes(get_resolver()))


# --- The API --------------------------------------------------------------------------------


@pytest.fixture
def callers() -> dict[str, Client]:
    """Clients by who they are: bad keys, good ones by scope, and the sessions of the roles."""
    now = timezone.now()
    texts = {"wrong": "etl_000000000000_" + "x" * 43}
    for scope in sorted(ANY_KEY):
        texts[scope] = keys.create(scope, [scope], None, by=ANNA).text
    revoked = keys.create("revoked", ANY_KEY, None, by=ANNA)
    keys.revoke([revoked.row], now, by=ANNA)
    expired = keys.create("expired", ANY_KEY, now - timedelta(seconds=1), by=ANNA)
    texts |= {"revoked": revoked.text, "expired": expired.text}
    clients = {name: client(headers={"X-API-KEY": text}) for name, text in texts.items()}
    return {"nobody": client(), **clients, **sessions()}


def client(**options) -> Client:
    return Client(raise_request_exception=False, **options)


def sessions() -> dict[str, Client]:
    found = {}
    for name in roles.ROLES:
        user = User.objects.create(username=f"u-{name}", is_staff=True)
        user.groups.add(Group.objects.get(name=name))
        found[name] = client()
        found[name].force_login(user)
    return found


def expected(caller: str, method: str, scopes: dict[str, set[str]], also_staff: bool) -> str:
    """ "401", "403", "405" or "served"."""
    if caller not in ANY_KEY and not (caller in ALL and also_staff):
        return "401"
    takes = scopes.get("GET" if method == "HEAD" else method)
    if method == "OPTIONS":
        return "served"
    if takes is None:
        return "405"
    return "served" if caller in takes or caller in ALL else "403"


def outcome(answer) -> str:
    if answer.status_code in {401, 403, 405}:
        return str(answer.status_code)
    return "served" if answer.status_code < 500 else f"broken: {answer.status_code}"


ADMIN_NAMES = {name for where, name in ROUTES if where == "admin" and name}


def test_every_url_is_known():
    known = {"api": {*API, *OPEN, *PAGES}, "admin": {*FRAME, *ADMIN_PAGES, None}}
    known["admin"] |= {name for name in ADMIN_NAMES if name.endswith(EXPORTS)}  # test_exports.py
    for label in MODELS:
        known["admin"] |= {
            f"{label.replace('.', '_')}_{page}" for page in [*PERMISSION_OF, "history"]
        }

    assert {(where, name) for where, name in ROUTES if name not in known[where]} == set()


def test_every_url_that_is_known_is_there():
    """The tables have no line left over."""
    api = {name for where, name in ROUTES if where == "api"}
    admin = {name for where, name in ROUTES if where == "admin"}

    assert {*API, *OPEN, *PAGES} <= api
    assert {*FRAME, *ADMIN_PAGES} <= admin


@pytest.mark.parametrize("name", API)
def test_who_may_call_an_endpoint(name, callers):
    address, scopes = API[name]
    wrong = {}
    for caller, user_agent in callers.items():
        for method in METHODS:
            answer = user_agent.generic(method, address, headers={"Prefer": "respond-async"})
            wanted = expected(caller, method, scopes, name in ALSO_STAFF)
            if outcome(answer) != wanted:
                wrong[caller, method] = f"{outcome(answer)}, not {wanted}"
    assert wrong == {}


@pytest.mark.parametrize("name", OPEN)
@pytest.mark.parametrize("method", METHODS)
def test_what_needs_no_key_reads_only(name, method, callers):
    for caller in ("nobody", "wrong", FLUSSO):
        answer = callers[caller].generic(method, OPEN[name])
        readable = method in {"GET", "HEAD", "OPTIONS"}
        assert outcome(answer) == ("served" if readable else "405")


# --- The admin ------------------------------------------------------------------------------


def test_every_model_of_ours_has_its_rules():
    ours = {"ingestion", "production", "orders", "etlportal", "logviewer"}
    from django.contrib.admin import site

    pages_of_files = {"logviewer.registro"}  # no rows: all its pages are in ADMIN_PAGES
    registered = {model._meta.label_lower for model in site._registry} - pages_of_files
    assert {label for label in registered if label.split(".")[0] in ours} <= MODELS.keys()
    assert registered == MODELS.keys()


def page_of(label: str, page: str) -> str:
    arguments = [] if page in {"changelist", "add"} else ["999999"]
    return reverse(f"admin:{label.replace('.', '_')}_{page}", args=arguments)


def is_open(answer) -> bool:
    """Opened, or sent back to the index because there is no such row; refused is 403."""
    assert answer.status_code in {200, 302, 403}, answer.status_code
    assert "/login/" not in answer.get("Location", "")
    return answer.status_code != 403


@pytest.mark.parametrize("label", MODELS)
def test_who_may_open_the_pages_of_a_model(label):
    clients = sessions()
    for page, act in PERMISSION_OF.items():
        opened = {role for role in ALL if is_open(clients[role].get(page_of(label, page)))}
        assert opened == MODELS[label].get(act, set()), page


@pytest.mark.parametrize("label", MODELS)
def test_who_may_change_a_row(label):
    clients = sessions()
    url = page_of(label, "change")
    opened = {role for role in ALL if is_open(clients[role].post(url, {}))}
    assert opened == MODELS[label].get("change", set())


@pytest.mark.parametrize("name", ADMIN_PAGES)
def test_who_may_use_the_other_pages(name):
    arguments, method, allowed = ADMIN_PAGES[name]
    url = reverse(f"admin:{name}", args=arguments)
    for role, user_agent in sessions().items():
        found = {each: user_agent.generic(each, url).status_code for each in ("GET", "POST")}
        refused = found[method] == 403 if role in allowed else {*found.values()} <= {403, 405}
        assert refused is (role not in allowed), (role, found)


FOR_EVERYONE = {None, "login", "logout", "jsi18n"}


@pytest.mark.parametrize(
    "name", sorted({name for where, name in ROUTES if where == "admin"} - FOR_EVERYONE)
)
def test_a_stranger_sees_no_page(name, anonymous):
    arguments = {
        "app_list": ["orders"],
        "view_on_site": [1, 1],
        **{page: given for page, (given, _, _) in ADMIN_PAGES.items()},
    }.get(name, ["1"] if name.endswith(("_change", "_delete", "_history")) else [])
    if name == "password_change":
        arguments = []
    outsider = client()
    outsider.force_login(User.objects.create(username="cliente"))
    for visitor in (anonymous, outsider):
        for method in ("GET", "POST"):
            answer = visitor.generic(method, reverse(f"admin:{name}", args=arguments))
            assert answer.status_code == 302
            assert "/admin/login/" in answer["Location"]
