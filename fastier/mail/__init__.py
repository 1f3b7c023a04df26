"""Mail: a port with two ends, SES in production and files on a developer's machine."""

from fastier.mail.mailers import FileMailer, Mailer, Message, SesMailer, mailer_for

__all__ = ["FileMailer", "Mailer", "Message", "SesMailer", "mailer_for"]
