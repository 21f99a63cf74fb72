from django.db import migrations

from etlportal.roles import grant


class Migration(migrations.Migration):
    dependencies = [
        ("etlportal", "0001_chiavi_e_audit"),
        ("auth", "0012_alter_user_first_name_max_length"),
        ("contenttypes", "0002_remove_content_type_name"),
    ]
    operations = [migrations.RunPython(grant, migrations.RunPython.noop)]
