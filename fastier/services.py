"""What a running process holds once and hands to every feature: settings, database and storage."""

from dataclasses import dataclass

from fastier.database import Database
from fastier.settings import Settings
from fastier.storage import Storage


@dataclass(frozen=True, slots=True)
class Services:
    """Built once by the composition root; views and job handlers receive it."""

    settings: Settings
    database: Database
    storage: Storage

    def prepare(self) -> None:
        """Make what takes long and connects to nobody, before processes fork that then share it."""
        self.database.prepare()
        self.storage.prepare()
