"""Who may do what in the admin (docs/affidabilita.md, "Sicurezza"): three groups, each with what
the one before has. The migration that names this module makes them; superusers stand above.

The queue's own pages are in none: to write a schedule is to run code.
"""

from typing import Any

from django.apps import apps as installed
from django.contrib.auth.management import create_permissions

PLANT = {
    "ingestion": ("rawoperazione", "lottoricevuto", "esecuzioneetl"),
    "production": (
        *("operazione", "forgiatura", "cnc", "anomaliaoperazione", "anomalia", "tipofermo"),
        *("pezzo", "macchinario", "operatore", "acciaio"),
    ),
    "orders": (
        *("ordine", "pezzoordine", "cliente", "magazzino"),
        *("movimentoproduzione", "movimentomagazzino"),
    ),
}
MASTER_DATA = {
    "production": ("pezzo", "macchinario", "operatore", "acciaio", "tipofermo", "anomalia"),
    "orders": ("ordine", "pezzoordine", "cliente", "magazzino"),
}


def _all(models: dict[str, tuple[str, ...]], *acts: str) -> set[str]:
    return {
        f"{app}.{act}_{model}" for app, names in models.items() for model in names for act in acts
    }


OPERATORE = _all(PLANT, "view") | {"production.annota_anomalia"}  # take an anomaly, add a note
CAPOTURNO = OPERATORE | {
    "ingestion.change_rawoperazione",  # back into the queue, or set aside
    "production.gestisci_anomalia",  # accept in derogation, close, reopen
    "ingestion.add_esecuzioneetl",  # start a job
    "logviewer.view_logs",
    "orders.change_ordine",
    "orders.change_pezzoordine",
    "orders.change_magazzino",
    "etlportal.export",  # lists as files
    "etlportal.condividi_filtro",
}
ADMIN = (
    CAPOTURNO
    | _all(MASTER_DATA, "add", "change", "delete")
    | _all({"etlportal": ("chiaveapi",)}, "view", "add", "change")
    | _all({"etlportal": ("voceaudit",)}, "view")
    | _all({"auth": ("user",)}, "view", "add", "change", "delete")
    | {"logviewer.clear_logs"}
)
ROLES = {"operatore": OPERATORE, "capoturno": CAPOTURNO, "admin": ADMIN}


def grant(apps: Any, schema_editor: Any = None) -> None:
    """Makes the three groups, or brings them to what is written here. Others are left alone.

    ``apps``: the registry of the migration, or the live one. Raises ``LookupError`` for a
    permission that no model declares.
    """
    for config in installed.get_app_configs():
        create_permissions(config, verbosity=0, using="default")
    labels = ("content_type__app_label", "codename", "pk")
    rows = apps.get_model("auth", "Permission").objects.values_list(*labels)
    permissions = {f"{app}.{codename}": pk for app, codename, pk in rows}
    for name, wanted in ROLES.items():
        if unknown := wanted - permissions.keys():
            raise LookupError(f"no such permissions: {sorted(unknown)}")
        group, _ = apps.get_model("auth", "Group").objects.get_or_create(name=name)
        group.permissions.set([permissions[label] for label in wanted])
