"""Seeds the anomaly catalogue and the stop types; rows that exist keep what staff wrote."""

from django.db import migrations

ANOMALIE = [
    (1, "TIMESTAMP_NON_VALIDO", "Data e ora mancante, illeggibile o impossibile."),
    (2, "PESO_NON_VALIDO", "Peso mancante, illeggibile o impossibile."),
    (3, "TEMPERATURA_NON_VALIDA", "Temperatura mancante, illeggibile o impossibile."),
    (4, "ANOMALIA_STRUTTURA", "L'elenco delle anomalie dichiarate non ha la forma prevista."),
    (101, "TIPO_OPERAZIONE_NON_VALIDO", "La lavorazione non è né forgiatura né cnc."),
    (102, "PESO_FUORI_SPECIFICA", "Peso vero, ma fuori dai limiti del pezzo."),
    (103, "TEMPERATURA_FUORI_SPECIFICA", "Temperatura vera, ma fuori dai limiti del pezzo."),
    (104, "PEZZI_ORA_NON_VALIDI", "Il numero di pezzi all'ora è illeggibile o impossibile."),
    (105, "TIPO_FERMO_SCONOSCIUTO", "Il tipo di fermo non è fra quelli conosciuti."),
    (106, "RIFERIMENTO_SCONOSCIUTO", "Il codice indicato non è nelle anagrafiche."),
    (107, "DURATA_ANOMALA", "L'operazione dura più del limite."),
    (108, "OPERAZIONE_APERTA", "Manca la fine dell'operazione."),
    (109, "SOVRAPPRODUZIONE", "Prodotti più pezzi di quanti l'ordine ne chiedeva."),
    (110, "SCORTA_INSUFFICIENTE", "In magazzino non c'erano abbastanza pezzi."),
    (999, "ALTRO", "Altra anomalia: vedere la nota."),
]

TIPI_FERMO = [
    ("NESSUNO", "Nessun fermo", "nessuno", ["nessun_fermo", "nessun fermo", "none", "no"]),
    ("UTENSILE", "Rottura o cambio utensile", "non_pianificato", ["tool", "cambio_utensile"]),
    ("SOFTWARE", "Errore software", "non_pianificato", ["errore_software"]),
    ("GUASTO_MECCANICO", "Guasto meccanico", "non_pianificato", ["meccanico", "guasto meccanico"]),
    ("GUASTO_ELETTRICO", "Guasto elettrico", "non_pianificato", ["elettrico", "guasto elettrico"]),
    ("MATERIALE", "Attesa materiale", "non_pianificato", ["attesa_materiale", "material"]),
    ("OPERATORE", "Attesa operatore", "non_pianificato", ["attesa_operatore", "operator"]),
    ("QUALITA", "Controllo qualità", "non_pianificato", ["qualità", "quality"]),
    ("ATTREZZAGGIO", "Attrezzaggio", "attrezzaggio", ["setup", "set-up"]),
    (
        "MANUTENZIONE_PROGRAMMATA",
        "Manutenzione programmata",
        "pianificato",
        ["manutenzione", "manutenzione programmata", "maintenance"],
    ),
    ("PAUSA", "Pausa", "pianificato", ["break"]),
    ("ALTRO", "Altro", "non_pianificato", ["other"]),
]


def seed(apps, schema_editor):
    alias = schema_editor.connection.alias
    anomalie = apps.get_model("production", "Anomalia").objects.using(alias)
    for number, name, note in ANOMALIE:
        anomalie.get_or_create(pk=number, defaults={"tipo_anomalia": name, "note": note})
    tipi_fermo = apps.get_model("production", "TipoFermo").objects.using(alias)
    for code, description, kind, synonyms in TIPI_FERMO:
        tipi_fermo.get_or_create(
            pk=code, defaults={"descrizione": description, "classe": kind, "sinonimi": synonyms}
        )


class Migration(migrations.Migration):
    dependencies = [("production", "0001_initial")]
    operations = [migrations.RunPython(seed, migrations.RunPython.noop, elidable=False)]
