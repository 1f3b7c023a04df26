"""What a rule looks at: one bundle, as one environment that a saved configuration describes would get it."""

from dataclasses import dataclass
from functools import cached_property

from ebtools.preflight import extensions
from ebtools.preflight.bundle import Bundle
from ebtools.preflight.extensions import Extension, Setting

ENVIRONMENT = "aws:elasticbeanstalk:application:environment"


@dataclass(frozen=True)
class Configuration:
    """A named way to make an environment: what its saved configuration sets, over .ebextensions and defaults.

    `platform` is the solution stack's name where it is known, such as "Python 3.13 running on 64bit Amazon Linux 2023".
    """

    name: str
    settings: tuple[Setting, ...] = ()
    platform: str = ""
    # `eb create` sets some options by itself; the console and CloudFormation do not.
    has_cli_presets: bool = True


@dataclass(frozen=True)
class Case:
    """A bundle under one configuration."""

    bundle: Bundle
    configuration: Configuration

    @cached_property
    def extensions(self) -> list[Extension]:
        return extensions.read(self.bundle)

    @cached_property
    def settings(self) -> list[Setting]:
        """Every setting of .ebextensions and then of the configuration; a later one of the same name wins."""
        own = [setting for extension in self.extensions for setting in extension.settings]
        return [*own, *self.configuration.settings]

    def setting(self, namespace: str, name: str) -> Setting | None:
        """The setting that takes effect, or None where the platform's default does."""
        found = [one for one in self.settings if (one.namespace, one.name) == (namespace, name)]
        return found[-1] if found else None

    def value(self, namespace: str, name: str, default: str = "") -> str:
        """The value that takes effect as the platform compares it; `default` where nothing sets it."""
        found = self.setting(namespace, name)
        return default if found is None or found.value is None else str(found.value)

    def number(self, namespace: str, name: str, default: int) -> int:
        """The same as a whole number; `default` too where the value is none, which another rule tells."""
        text = self.value(namespace, name)
        return int(text) if text.lstrip("-").isdigit() else default

    @cached_property
    def properties(self) -> dict[str, str]:
        """The environment properties that the application will see, as far as the bundle knows them."""
        return {one.name: str(one.value) for one in self.settings if one.namespace == ENVIRONMENT}

    @property
    def is_load_balanced(self) -> bool:
        return self.value("aws:elasticbeanstalk:environment", "EnvironmentType", "LoadBalanced") == "LoadBalanced"

    @property
    def has_procfile(self) -> bool:
        return "Procfile" in self.bundle
