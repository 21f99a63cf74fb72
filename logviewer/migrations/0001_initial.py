from django.db import migrations, models


class Migration(migrations.Migration):
    """Permissions only: the model has no table."""

    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name="Registro",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
            ],
            options={
                "verbose_name": "registro",
                "verbose_name_plural": "registri",
                "permissions": [
                    ("view_logs", "Può leggere i registri"),
                    ("clear_logs", "Può svuotare i registri"),
                ],
                "managed": False,
                "default_permissions": (),
            },
        ),
    ]
