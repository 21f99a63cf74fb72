"""Records in error may be set aside with a reason; a batch remembers its request."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("ingestion", "0003_avvisi_e_pulizia"),
    ]

    operations = [
        migrations.AddField(
            model_name="lottoricevuto",
            name="request_id",
            field=models.CharField(
                blank=True, db_default="", max_length=100, verbose_name="richiesta"
            ),
        ),
        migrations.AddField(
            model_name="rawoperazione",
            name="scartato_da",
            field=models.CharField(
                blank=True, max_length=150, null=True, verbose_name="scartato da"
            ),
        ),
        migrations.AddField(
            model_name="rawoperazione",
            name="scartato_il",
            field=models.DateTimeField(blank=True, null=True, verbose_name="scartato il"),
        ),
        migrations.AddField(
            model_name="rawoperazione",
            name="scartato_motivo",
            field=models.CharField(
                blank=True, max_length=500, null=True, verbose_name="motivo dello scarto"
            ),
        ),
    ]
