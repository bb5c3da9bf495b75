"""Who may use the REST API: a token with scopes, or a person who is logged in."""

from __future__ import annotations

from typing import Any

from knox.auth import TokenAuthentication
from knox.crypto import hash_token
from rest_framework.authentication import SessionAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.permissions import SAFE_METHODS, BasePermission
from rest_framework.request import Request

from riskhub import clock, logs
from riskhub.teams.middleware import membership_of
from riskhub.teams.models import ApiToken, Membership, Team
from riskhub.teams.tokens import Scope

_INVALID = "This token is not valid."


class ScopedTokenAuthentication(TokenAuthentication):
    """`Authorization: Bearer rh_…`; sets `request.team` to the one team of the token.

    A token does no more than its user still may: it dies with the membership.
    """

    def authenticate(self, request: Request) -> tuple[Any, ApiToken] | None:
        """Return (user, token), or None when there is no token; raises AuthenticationFailed."""
        found = super().authenticate(request)
        if found is None:
            return None
        user, token = found
        membership = (
            Membership.objects.filter(user_id=user.pk, team_id=token.team_id)
            .select_related("team")
            .first()
        )
        if membership is None:
            raise AuthenticationFailed(_INVALID)
        _act_as(request, membership)
        return user, token

    def authenticate_credentials(self, token: bytes) -> tuple[Any, ApiToken]:
        """Return (user, token) of a token's text; raises AuthenticationFailed.

        Unlike knox's own, this writes nothing: an expired token is refused and stays listed.
        """
        try:
            text = token.decode("ascii")
        except UnicodeDecodeError:
            raise AuthenticationFailed(_INVALID) from None
        row = ApiToken.objects.filter(digest=hash_token(text)).select_related("user").first()
        if row is None or not row.user.is_active:
            raise AuthenticationFailed(_INVALID)
        if row.expiry is not None and row.expiry <= clock.now():
            raise AuthenticationFailed("This token has expired.")
        logs.remember_secret(text)
        return row.user, row


class MemberAuthentication(SessionAuthentication):
    """A person who is logged in, under the team that pages show; unsafe methods need CSRF."""

    def authenticate(self, request: Request) -> tuple[Any, None] | None:
        """Return (user, None), or None for a stranger; raises PermissionDenied without CSRF."""
        found = super().authenticate(request)
        if found is not None:
            # The middleware does this for pages alone: it skips views that do their own login.
            _act_as(request, membership_of(request._request))
        return found


class HasTeamAndScope(BasePermission):
    """Everybody needs a team; reading needs the scope `read`, anything else `write`."""

    message = "You may not do this: the token lacks the scope, or you are in no team."

    def has_permission(self, request: Request, *_: object) -> bool:
        """Tell whether this request may go on."""
        membership: Membership | None = getattr(request, "membership", None)
        if membership is None:
            return False
        is_reading = request.method in SAFE_METHODS
        is_allowed = is_reading or membership.is_writer
        if isinstance(request.auth, ApiToken):
            return is_allowed and (Scope.READ if is_reading else Scope.WRITE) in request.auth.scopes
        return is_allowed


def team_of(request: Request) -> Team:
    """Return the team that a permitted request acts for."""
    team: Team = request._request.team  # type: ignore[attr-defined]
    return team


def _act_as(request: Request, membership: Membership | None) -> None:
    # On Django's own request, where the middleware puts them for pages.
    plain: Any = request._request
    plain.membership = membership
    plain.team = membership.team if membership else None
