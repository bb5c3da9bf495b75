"""All addresses, wired."""

from django.contrib.auth import views as auth
from django.contrib.auth.decorators import login_not_required
from django.urls import include, path

from riskhub import health

login = auth.LoginView.as_view(redirect_authenticated_user=True)

handler403 = "positions.views.errors.forbidden"
handler404 = "positions.views.errors.not_found"

urlpatterns = [
    path("healthz", health.healthz, name="healthz"),
    path("readyz", health.readyz, name="readyz"),
    path(
        "login/",
        login_not_required(auth.LoginView.as_view(redirect_authenticated_user=True)),
        name="login",
    ),
    path("logout/", auth.LogoutView.as_view(), name="logout"),
    path("api/v1/", include("positions.api.urls")),
    path("", include("positions.urls")),
]
