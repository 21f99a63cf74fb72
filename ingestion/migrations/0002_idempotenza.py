from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("ingestion", "0001_initial")]

    operations = [
        migrations.AlterField(
            model_name="lottoricevuto",
            name="chiave_idempotenza",
            field=models.CharField(
                blank=True, max_length=400, null=True, verbose_name="chiave di idempotenza"
            ),
        ),
        migrations.AddConstraint(
            model_name="lottoricevuto",
            constraint=models.UniqueConstraint(
                fields=("nome_chiave", "chiave_idempotenza"), name="lotto_ricevuto_una_volta"
            ),
        ),
        migrations.AddIndex(
            model_name="lottoricevuto",
            index=models.Index(
                fields=["nome_chiave", "sha256", "ricevuto_il"], name="lotto_ricevuto_impronta"
            ),
        ),
    ]
