"""Addresses of the REST API."""

from django.urls import path

from positions.api import calculator, coverage, markets, venues, views

urlpatterns = [
    path("positions", views.PositionList.as_view(), name="api-positions"),
    path("positions/<int:position_id>", markets.PositionDetail.as_view(), name="api-position"),
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
    path("coverage", coverage.CoverageReport.as_view(), name="api-coverage"),
    path("venues", venues.VenueList.as_view(), name="api-venues"),
    path("markets", markets.MarketList.as_view(), name="api-markets"),
    path("markets/<int:market_id>", markets.MarketDetail.as_view(), name="api-market"),
    path("measures", views.MeasureList.as_view(), name="api-measures"),
    path("calculator", calculator.Calculator.as_view(), name="api-calculator"),
    path("schema", views.SchemaView.as_view(), name="api-schema"),
    path("<path:rest>", views.Nothing.as_view(), name="api-nothing"),
]
