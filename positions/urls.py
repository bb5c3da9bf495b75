"""Addresses of the pages."""

from django.urls import path

from positions.views import (
    accounts,
    alerts,
    calculator,
    channels,
    members,
    overview,
    position,
    settings,
)

urlpatterns = [
    path("", overview.overview, name="overview"),
    path("summary", overview.summary, name="summary"),
    path("events", overview.events, name="events"),
    path("frame", settings.frame, name="frame"),
    path("export/positions.csv", overview.export, {"kind": "csv"}, name="export-csv"),
    path("export/positions.json", overview.export, {"kind": "json"}, name="export-json"),
    path("positions/<int:position_id>/", position.position, name="position"),
    path("positions/<int:position_id>/explain/", position.explain, name="explain"),
    path("alerts/", alerts.alerts, name="alerts"),
    path("alerts/<int:incident_id>/", alerts.incident, name="incident"),
    path("alerts/<int:incident_id>/acknowledge/", alerts.acknowledge, name="acknowledge"),
    path("alerts/rules/<int:rule_id>/switch/", alerts.switch_rule, name="switch-rule"),
    path("alerts/channels/add/", channels.add, name="add-channel"),
    path("alerts/channels/<int:channel_id>/test/", channels.test, name="test-channel"),
    path("alerts/channels/<int:channel_id>/switch/", channels.switch, name="switch-channel"),
    path("alerts/channels/<int:channel_id>/remove/", channels.remove, name="remove-channel"),
    path("alerts/deliveries/<int:delivery_id>/resend/", alerts.resend, name="resend"),
    path("accounts/", accounts.accounts, name="accounts"),
    path("accounts/add/", accounts.add, name="add-account"),
    path("accounts/<int:account_id>/key/", accounts.key, name="replace-key"),
    path("accounts/<int:account_id>/poll/", accounts.poll, name="poll-account"),
    path("accounts/<int:account_id>/switch/", accounts.switch, name="switch-account"),
    path("calculator/", calculator.calculator, name="calculator"),
    path("settings/", settings.settings, name="settings"),
    path("settings/password/", settings.PasswordChange.as_view(), name="password"),
    path("settings/members/add/", members.add, name="add-member"),
    path("settings/members/<int:member_id>/role/", members.change_role, name="change-role"),
    path("settings/members/<int:member_id>/remove/", members.remove, name="remove-member"),
    path("settings/team/", settings.switch_team, name="switch-team"),
    path("settings/tokens/<str:token_id>/revoke/", settings.revoke_token, name="revoke-token"),
    path("styleguide/", overview.styleguide, name="styleguide"),
]
