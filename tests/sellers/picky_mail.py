"""A mail server that answers some recipients with a code of its own, and takes everybody else's mail."""

from collections.abc import Sequence
from smtplib import SMTPRecipientsRefused

from django.core.mail import EmailMessage
from django.core.mail.backends import locmem

refuses: dict[str, int] = {}


class EmailBackend(locmem.EmailBackend):
    def send_messages(self, messages: Sequence[EmailMessage]) -> int:
        for message in messages:
            refused = {to: (refuses[to], b"no such person") for to in message.to if to in refuses}
            if len(refused) == len(message.to):
                raise SMTPRecipientsRefused(refused)
        return super().send_messages(messages)
