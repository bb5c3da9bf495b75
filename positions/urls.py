"""Addresses of the pages."""

from django.urls import path

from positions import views

urlpatterns = [
    path("", views.overview, name="overview"),
    path("events", views.events, name="events"),
]
