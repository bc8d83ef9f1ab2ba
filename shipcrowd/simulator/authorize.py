"""The authorize page (guide 1.5): the person picks a seller account and presses Allow or Deny."""

from urllib.parse import urlencode, urlsplit

from markupsafe import Markup
from werkzeug.utils import redirect
from werkzeug.wrappers import Request, Response

from shipcrowd.simulator.oauth import SCOPE, OAuth, OAuthError
from shipcrowd.simulator.page import is_foreign, page
from shipcrowd.simulator.world import World

ASKED = ("client_id", "redirect_uri", "scope", "state", "response_type")


def authorize_page(oauth: OAuth, world: World, request: Request) -> Response:
    """GET shows the question; POST (`account`, `decision` allow or deny, and what was asked) goes back to the caller.

    A wrong client or address is told on the page and nothing is sent anywhere; other errors go back by redirect, with
    the state echoed (RFC 6749 4.1.2.1, guide-gaps 15).
    """
    asked = {name: request.values.get(name, "") for name in ASKED}
    try:
        oauth.check_redirect(asked["client_id"], asked["redirect_uri"])
        if request.method == "POST" and is_foreign(request):
            raise OAuthError("invalid_request", "This form was sent from another site.")
    except OAuthError as refused:
        return page("Cannot continue", Markup("<p class=bad>{}</p>").format(refused.description), status=400)
    if asked["response_type"] != "code":
        return _back(asked, error="unsupported_response_type")
    if asked["scope"] != SCOPE:
        return _back(asked, error="invalid_scope")
    if request.method == "GET":
        return _question(world, asked)
    if request.form.get("decision") != "allow":
        return _back(asked, error="access_denied")
    try:
        return _back(asked, code=oauth.allow(request.form.get("account", ""), asked["redirect_uri"], asked["state"]))
    except OAuthError as refused:
        return _question(world, asked, refused.description)


def _back(asked: dict[str, str], **answer: str) -> Response:
    if asked["state"]:
        answer["state"] = asked["state"]
    joiner = "&" if urlsplit(asked["redirect_uri"]).query else "?"
    return redirect(f"{asked['redirect_uri']}{joiner}{urlencode(answer)}")


def _question(world: World, asked: dict[str, str], says: str = "") -> Response:
    hidden = Markup().join(Markup('<input type="hidden" name="{}" value="{}">').format(*pair) for pair in asked.items())
    accounts = Markup().join(
        Markup(
            '<label class="choice"><input type="radio" name="account" value="{}"{}> '
            "<b>{}</b> <small>{}, {}</small></label>"
        ).format(
            account.account_id, Markup(" checked") if at == 0 else "", account.name, account.place.city, account.gstin
        )
        for at, account in enumerate(list(world.accounts.values()))
    )
    body = Markup(
        '<p class="bad">{}</p><p><b>{}</b> asks to read your orders, make labels and mark '
        "shipments ready to dispatch.</p>"
        '<form method="post" action="/oauth-service/oauth/authorize">{}'
        "<fieldset><legend>Log in as</legend>{}</fieldset>"
        '<p><button name="decision" value="allow" class="main">Allow</button> '
        '<button name="decision" value="deny">Deny</button></p></form>'
    ).format(says, asked["client_id"], hidden, accounts or Markup("<p>No seller account exists yet.</p>"))
    return page("Allow access to your seller account?", body, narrow=True, form_to=asked["redirect_uri"])
