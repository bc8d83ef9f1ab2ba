"""The people of a seller: invited by a link, or made with a one-time password; their roles, places and leaving.

A link's secret is kept as a digest only, and shown once. So is a one-time password: it ends after 72 hours, and whoever
logs in with it must choose their own.
"""

import secrets
from collections.abc import Collection

from axes.utils import reset
from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models.functions import Now
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from sellers.access import memberships
from sellers.connecting import digest_of
from sellers.models import Facility, Invitation, Member, MemberFacility, Role, Seller, User
from shipcrowd import audit
from shipcrowd.tenancy import require_scope, seller_scope, through_door

# Without what is easily mistaken for another character: it is read out in a warehouse.
_LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"


class MayNot(Exception):
    """Why it is not done, in a sentence for a person."""


def name_taken() -> str:
    return _("Somebody has this user name already: choose another.")


# --- By a link -------------------------------------------------------------------------------------------------------


def invite(*, seller: Seller, by: User, role: Role, email: str = "") -> tuple[Invitation, str]:
    """The invitation and its link, which is not to be had again."""
    require_scope(seller)
    secret = secrets.token_urlsafe(32)
    invitation = Invitation.objects.create(
        seller=seller,
        role=role,
        email=email,
        digest=digest_of(f"link:{secret}"),
        invited_by=by,
        expires_at=Now() + Invitation.LIFE,
    )
    audit.record(by, f"invited {_with_article(role)}", seller=seller, rows=[invitation])
    return invitation, f"{settings.PUBLIC_URL}{reverse('invitation', args=[secret])}"


def find_invitation(secret: str) -> tuple[Invitation, Seller] | None:
    """The open invitation of a link, and who invites; None for one that is used, withdrawn, over or never was."""
    invitation = _by_digest(digest_of(f"link:{secret}"))
    if invitation is None or invitation.accepted_at is not None or invitation.expires_at <= timezone.now():
        return None
    with seller_scope(invitation.seller_id):
        return invitation, Seller.objects.get(pk=invitation.seller_id)


def accept(invitation: Invitation, *, user: User) -> Member:
    """Joins `user` to the seller, once; outside of any scope. Raises MayNot."""
    if invitation.email and user.email.lower() != invitation.email.lower():
        raise MayNot(_("This invitation was sent to another e-mail address. Ask for one of your own."))
    with seller_scope(invitation.seller_id):
        waiting = Invitation.objects.filter(pk=invitation.pk, accepted_at=None, expires_at__gt=Now())
        if not waiting.update(accepted_at=Now()):
            raise MayNot(_("This invitation was used or has ended. Ask for a new one."))
        member, is_new = Member.objects.get_or_create(
            seller_id=invitation.seller_id, user=user, defaults={"role": invitation.role}
        )
        if not is_new:
            raise MayNot(_("You work for this seller already."))
        audit.record(user, "joined this seller", seller=member.seller, rows=[member])
    return member


def join_as_new_user(invitation: Invitation, *, username: str, password: str) -> User:
    """A new person joins; name and password are checked by the form. Raises MayNot, and then there is no new person."""
    with seller_scope(invitation.seller_id):
        user = _new_user(username, email=invitation.email, password=password)
        accept(invitation, user=user)
    return user


def withdraw(invitation: Invitation, *, by: User) -> None:
    require_scope(invitation.seller_id)
    audit.record(by, "withdrew an invitation", seller=invitation.seller, rows=[invitation])
    invitation.delete()


def open_invitations(seller: Seller) -> list[Invitation]:
    """Links that nobody has used yet; one-time passwords are none."""
    require_scope(seller)
    waiting = Invitation.objects.filter(seller=seller, accepted_at=None, expires_at__gt=Now())
    return list(waiting.exclude(role="").select_related("invited_by").order_by("-invited_at", "-pk"))


def _by_digest(digest: str) -> Invitation | None:
    return through_door("invitation", digest, lambda: Invitation.objects.filter(digest=digest).first())


# --- By a user name and a one-time password --------------------------------------------------------------------------


def add_person(*, seller: Seller, by: User, username: str, role: Role) -> str:
    """Makes a person with this user name, which the form has found free; returns the one-time password.

    Raises MayNot for a name that somebody else was given meanwhile.
    """
    require_scope(seller)
    user = _new_user(username)
    member = Member.objects.create(seller=seller, user=user, role=role)
    audit.record(by, f"added {_with_article(role)}", seller=seller, rows=[member])
    return _one_time_password(seller, by, user)


def works_here(seller: Seller, username: str | None) -> bool:
    require_scope(seller)
    return bool(username) and Member.objects.filter(seller=seller, user__username__iexact=username).exists()


def _new_user(username: str, **values: str) -> User:
    """Raises MayNot for a name that is taken: two who choose it at once have both found it free."""
    try:
        with transaction.atomic():
            return User.objects.create_user(username, **values)
    except IntegrityError as error:
        raise MayNot(name_taken()) from error


def new_password(member: Member, *, by: User) -> str:
    """A one-time password for somebody who forgot theirs. Raises MayNot for a person who is not this seller's alone."""
    require_scope(member.seller_id)
    user = member.user
    if user.is_staff or any(other.seller.pk != member.seller_id for other in memberships(user)):
        raise MayNot(_("They also work for others here: only the platform's operators may set their password."))
    audit.record(by, "set a one-time password", seller=member.seller, rows=[member])
    reset(username=user.get_username())  # whoever was locked out for wrong passwords tries the new one at once
    return _one_time_password(member.seller, by, user)


def has_ended(user: User, password: str) -> bool:
    """Whether this is a one-time password older than 72 hours; to be asked after it was found right."""
    issued = _by_digest(_digest_of_password(user, password)) if user.must_change_password else None
    return issued is not None and issued.expires_at <= timezone.now()


def readable_password() -> str:
    """Random, 74 bits, in three groups that can be read out."""
    return "-".join("".join(secrets.choice(_LETTERS) for _place in range(5)) for _part in range(3))


def _one_time_password(seller: Seller, by: User, user: User) -> str:
    password = readable_password()
    user.set_password(password)
    user.must_change_password = True
    user.save(update_fields=["password", "must_change_password"])
    # Kept like an invitation without a role: the table that knows when such a secret ends.
    Invitation.objects.create(
        seller=seller,
        role="",
        digest=_digest_of_password(user, password),
        invited_by=by,
        expires_at=Now() + Invitation.LIFE,
    )
    return password


def _digest_of_password(user: User, password: str) -> str:
    return digest_of(f"password:{user.pk}:{password}")


# --- Roles, places, leaving ------------------------------------------------------------------------------------------


def people(seller: Seller) -> list[Member]:
    require_scope(seller)
    members = Member.objects.filter(seller=seller).select_related("user").prefetch_related("facilities__facility")
    return list(members.order_by("user__username", "pk"))


def change_role(member: Member, *, role: Role, by: User) -> None:
    """Raises MayNot for the last owner."""
    require_scope(member.seller_id)
    if role != Role.OWNER:
        _keep_an_owner(member)
    Member.objects.filter(pk=member.pk).update(role=role)
    audit.record(by, f"made somebody {_with_article(role)}", seller=member.seller, rows=[member])


def remove(member: Member, *, by: User) -> None:
    """Ends at their next request: memberships are read each time. Raises MayNot for the last owner."""
    require_scope(member.seller_id)
    _keep_an_owner(member)
    audit.record(by, "removed a member", seller=member.seller, rows=[member])
    member.delete()


def set_facilities(member: Member, *, public_ids: Collection[str], by: User) -> None:
    """The places that their lists open on."""
    require_scope(member.seller_id)
    chosen = Facility.objects.filter(seller_id=member.seller_id, public_id__in=public_ids)
    MemberFacility.objects.filter(seller_id=member.seller_id, member=member).delete()
    MemberFacility.objects.bulk_create(
        [MemberFacility(seller_id=member.seller_id, member=member, facility=facility) for facility in chosen]
    )
    audit.record(by, "changed a member's facilities", seller=member.seller, rows=[member])


def _keep_an_owner(member: Member) -> None:
    # All owners are locked, in one order: two who demote each other at once do not both succeed.
    owners = Member.objects.filter(seller_id=member.seller_id, role=Role.OWNER).order_by("pk").select_for_update()
    if [owner.pk for owner in owners] == [member.pk]:
        raise MayNot(_("A seller needs an owner: make somebody else an owner first."))


def _with_article(role: Role | str) -> str:
    return {Role.OWNER: "an owner", Role.STAFF: "a warehouse worker"}.get(Role(role), "a viewer")
