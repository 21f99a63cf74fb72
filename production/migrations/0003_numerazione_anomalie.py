"""Anomalies get a place in the order in which they were committed, for who asks for new ones.

The rows that are there get 0, before all that comes: the column is added with that default,
which costs no rewriting, and then loses it.
"""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("production", "0002_catalogue")]

    operations = [
        migrations.CreateModel(
            name="NumerazioneAnomalie",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("ultima", models.BigIntegerField(default=0, verbose_name="ultima sequenza")),
            ],
            options={
                "verbose_name": "numerazione delle anomalie",
                "verbose_name_plural": "numerazione delle anomalie",
                "db_table": "numerazione_anomalie",
            },
        ),
        migrations.AddField(
            model_name="anomaliaoperazione",
            name="sequenza",
            field=models.BigIntegerField(
                default=0, editable=False, null=True, verbose_name="sequenza"
            ),
            preserve_default=False,
        ),
        migrations.AddIndex(
            model_name="anomaliaoperazione",
            index=models.Index(fields=["sequenza"], name="anomalia_operazione_sequenza"),
        ),
    ]
