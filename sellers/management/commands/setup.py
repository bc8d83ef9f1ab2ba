"""`manage.py setup`: the first of the platform's operators, and, asked, the first seller with its owner."""

import os
import sys
from typing import Any

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils.text import slugify

from sellers import members
from sellers.models import Role, Seller, User
from shipcrowd import audit
from shipcrowd.tenancy import everyone_scope, seller_scope


class Command(BaseCommand):
    help = (
        "Make the first platform operator, and with --seller the first seller and a link for its owner. "
        "The operator's password comes from SETUP_PASSWORD; without it a one-time password is printed."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--operator", default="", help="user name of the operator (asked for when missing)")
        parser.add_argument("--email", default="", help="the operator's e-mail address")
        parser.add_argument("--seller", default=None, help="name of the first seller (asked for when missing)")
        parser.add_argument(
            "--slug", default="", help="the seller's part of the address; made of its name when missing"
        )
        parser.add_argument("--no-input", action="store_true", help="ask nothing")

    def handle(self, *_args: Any, **options: Any) -> None:
        asks = not options["no_input"] and self._is_terminal()
        username = options["operator"] or (asks and input("User name of the first operator: ").strip())
        if not username:
            raise CommandError("Say who the first operator is: --operator NAME.")
        seller_name = options["seller"]
        if seller_name is None and asks:
            seller_name = input("Name of the first seller (empty for none yet): ").strip()
        seller = _checked_seller(seller_name.strip(), options["slug"]) if seller_name else None
        operator = self._operator(username, options["email"])
        if seller is not None:
            self._seller(seller, operator)

    def _operator(self, username: str, email: str) -> User:
        found = User.objects.filter(username=username).first()
        if found is not None:
            if not found.is_staff:
                raise CommandError(f"{username} is somebody else's user name: choose another.")
            self.stdout.write(f"The operator {username} is there already.")
            return found
        password = os.environ.get("SETUP_PASSWORD", "")
        user = User(username=username, email=email, is_staff=True, is_superuser=True)
        user.must_change_password = not password
        try:
            user.full_clean(exclude=["password"])
            if password:
                validate_password(password, user)
        except ValidationError as error:
            raise CommandError(" ".join(error.messages)) from error
        one_time = "" if password else members.readable_password()
        user.set_password(password or one_time)
        with everyone_scope("setup: the first operator"):
            user.save()
            audit.record(None, "made an operator by manage.py setup", rows=[user])
        self.stdout.write(f"The operator {username} is made." + (f" One-time password: {one_time}" if one_time else ""))
        return user

    def _seller(self, named: Seller, operator: User) -> None:
        with everyone_scope("setup: the first seller", by=operator):
            seller, is_new = Seller.objects.get_or_create(slug=named.slug, defaults={"name": named.name})
        if not is_new:
            self.stdout.write(f"The seller {seller.slug} is there already.")
            return
        with seller_scope(seller):
            _invitation, link = members.invite(seller=seller, by=operator, role=Role.OWNER)
        self.stdout.write(f"The seller {seller.name} is made. Its owner joins within 72 hours by this link:\n{link}")

    def _is_terminal(self) -> bool:
        return sys.stdin is not None and sys.stdin.isatty()


def _checked_seller(name: str, slug: str) -> Seller:
    """Not saved: nothing is written before all that was said can be kept. Raises CommandError."""
    seller = Seller(name=name, slug=slug or _slug_of(name))
    try:
        seller.clean_fields()
    except ValidationError as error:
        if "slug" in error.message_dict:
            raise CommandError(
                "Say the seller's part of the address, up to 50 plain letters, digits and hyphens: "
                "--slug asha-textiles."
            ) from error
        if not name:
            raise CommandError('Say the seller\'s name: --seller "Asha Textiles".') from error
        raise CommandError(f"The seller's name has {len(name)} characters: up to 100 can be kept.") from error
    return seller


def _slug_of(name: str) -> str:
    """As much of the name as an address can hold."""
    return slugify(name)[: Seller._meta.get_field("slug").max_length].rstrip("-_")
