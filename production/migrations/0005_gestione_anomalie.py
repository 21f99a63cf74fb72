"""Each anomaly has a state, and a history of who changed it; those that are there are open."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("production", "0003_numerazione_anomalie"),
    ]

    operations = [
        migrations.CreateModel(
            name="StoriaAnomalia",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "anomalia_operazione",
                    models.ForeignKey(
                        db_column="id_anomalia_operazione",
                        db_constraint=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="storia",
                        to="production.anomaliaoperazione",
                        verbose_name="anomalia di operazione",
                    ),
                ),
                ("azione", models.CharField(max_length=20, verbose_name="azione")),
                (
                    "da_stato",
                    models.CharField(
                        choices=[
                            ("aperta", "Aperta"),
                            ("presa_in_carico", "Presa in carico"),
                            ("accettata_in_deroga", "Accettata in deroga"),
                            ("chiusa", "Chiusa"),
                        ],
                        max_length=20,
                        verbose_name="da",
                    ),
                ),
                (
                    "a_stato",
                    models.CharField(
                        choices=[
                            ("aperta", "Aperta"),
                            ("presa_in_carico", "Presa in carico"),
                            ("accettata_in_deroga", "Accettata in deroga"),
                            ("chiusa", "Chiusa"),
                        ],
                        max_length=20,
                        verbose_name="a",
                    ),
                ),
                ("chi", models.CharField(max_length=150, verbose_name="chi")),
                ("quando", models.DateTimeField(verbose_name="quando")),
                (
                    "nota",
                    models.CharField(blank=True, default="", max_length=500, verbose_name="nota"),
                ),
            ],
            options={
                "verbose_name": "storia dell'anomalia",
                "verbose_name_plural": "storia delle anomalie",
                "db_table": "storia_anomalia",
                "default_permissions": (),
            },
        ),
        migrations.AlterModelOptions(
            name="anomaliaoperazione",
            options={
                "permissions": [
                    ("annota_anomalia", "Prendere in carico e annotare le anomalie"),
                    ("gestisci_anomalia", "Accettare in deroga, chiudere e riaprire le anomalie"),
                ],
                "verbose_name": "anomalia di operazione",
                "verbose_name_plural": "anomalie",
            },
        ),
        migrations.AddField(
            model_name="anomaliaoperazione",
            name="gestita_da",
            field=models.CharField(
                blank=True, max_length=150, null=True, verbose_name="gestita da"
            ),
        ),
        migrations.AddField(
            model_name="anomaliaoperazione",
            name="gestita_il",
            field=models.DateTimeField(blank=True, null=True, verbose_name="gestita il"),
        ),
        migrations.AddField(
            model_name="anomaliaoperazione",
            name="nota_gestione",
            field=models.CharField(
                blank=True, max_length=500, null=True, verbose_name="nota di gestione"
            ),
        ),
        migrations.AddField(
            model_name="anomaliaoperazione",
            name="stato",
            field=models.CharField(
                choices=[
                    ("aperta", "Aperta"),
                    ("presa_in_carico", "Presa in carico"),
                    ("accettata_in_deroga", "Accettata in deroga"),
                    ("chiusa", "Chiusa"),
                ],
                db_default="aperta",
                default="aperta",
                max_length=20,
                verbose_name="stato",
            ),
        ),
        migrations.AddIndex(
            model_name="anomaliaoperazione",
            index=models.Index(fields=["stato", "internal_id"], name="anomalia_operazione_stato"),
        ),
        migrations.AddIndex(
            model_name="anomaliaoperazione",
            index=models.Index(fields=["stato", "anomalia"], name="anomalia_operazione_stato_tipo"),
        ),
    ]
