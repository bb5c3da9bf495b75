"""Addresses of the REST API."""

from django.urls import path

from positions.api import calculator, views

urlpatterns = [
    path("positions", views.PositionList.as_view(), name="api-positions"),
    path("positions/<int:position_id>", views.PositionDetail.as_view(), name="api-position"),
    path(
        "positions/<int:position_id>/history",
        views.PositionHistory.as_view(),
        name="api-position-history",
    ),
    path(
        "positions/<int:position_id>/events",
        views.PositionEvents.as_view(),
        name="api-position-events",
    ),
    path("accounts", views.AccountList.as_view(), name="api-accounts"),
    path("accounts/<int:account_id>", views.AccountDetail.as_view(), name="api-account"),
    path("incidents", views.IncidentList.as_view(), name="api-incidents"),
    path("incidents/<int:incident_id>", views.IncidentDetail.as_view(), name="api-incident"),
    path("venues", views.VenueList.as_view(), name="api-venues"),
    path("measures", views.MeasureList.as_view(), name="api-measures"),
    path("calculator", calculator.Calculator.as_view(), name="api-calculator"),
    path("schema", views.SchemaView.as_view(), name="api-schema"),
    path("<path:rest>", views.Nothing.as_view(), name="api-nothing"),
]
