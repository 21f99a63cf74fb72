import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

from etlportal.roles import grant


class Migration(migrations.Migration):
    dependencies = [
        ("etlportal", "0002_ruoli"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]
    operations = [
        migrations.CreateModel(
            name="FiltroSalvato",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("elenco", models.CharField(max_length=100, verbose_name="elenco")),
                ("nome", models.CharField(max_length=60, verbose_name="nome")),
                ("parametri", models.JSONField(default=dict, verbose_name="parametri")),
                ("condiviso", models.BooleanField(default=False, verbose_name="condiviso con tutti")),
                ("utente", models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name="+", to=settings.AUTH_USER_MODEL, verbose_name="utente")),
            ],
            options={
                "verbose_name": "filtro salvato",
                "verbose_name_plural": "filtri salvati",
                "db_table": "filtro_salvato",
                "permissions": [
                    ("export", "Può esportare gli elenchi"),
                    ("condividi_filtro", "Può condividere i filtri salvati"),
                ],
                "default_permissions": (),
                "indexes": [models.Index(fields=["elenco", "nome"], name="filtro_salvato_elenco")],
                "constraints": [models.UniqueConstraint(fields=("utente", "elenco", "nome"), name="filtro_salvato_nome")],
            },
        ),
        migrations.RunPython(grant, migrations.RunPython.noop),
    ]
