from django.urls import re_path

from etlportal.connector import views

urlpatterns = [
    re_path(
        r"^(?:api/v1/)?connector/apiDefinition\.swagger\.json/?$",
        views.ApiDefinition.as_view(),
        name="connector-definition",
    ),
    re_path(
        r"^(?:api/v1/)?connector/apiProperties\.json/?$",
        views.ApiProperties.as_view(),
        name="connector-properties",
    ),
]
