"""What a rule looks at: one bundle, as one environment that a saved configuration describes would get it."""

from dataclasses import dataclass
from functools import cached_property

from ebtools.preflight import extensions, options
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
    # `eb create` sets many options by itself; beside a saved configuration only the load balancer's type.
    has_cli_presets: bool = True
    # Whether a second environment is to take over this one's traffic.
    is_blue_green: bool = False


@dataclass(frozen=True)
class Case:
    """A bundle under one configuration."""

    bundle: Bundle
    configuration: Configuration

    @cached_property
    def extensions(self) -> list[Extension]:
        return self.bundle.once("extensions", extensions.read)

    @cached_property
    def settings(self) -> list[Setting]:
        """Every setting of .ebextensions and then of the configuration; a later one of the same name wins."""
        own = [setting for extension in self.extensions for setting in extension.settings]
        return [*own, *self.configuration.settings]

    def setting(self, namespace: str, name: str) -> Setting | None:
        """The setting that takes effect, or None where the platform's default does; `file` is empty for a preset."""
        preset = self.presets.get((namespace, name))
        if preset is not None:
            return Setting("", 0, namespace, name, preset)
        return self.chosen.get((namespace, name))

    @cached_property
    def chosen(self) -> dict[tuple[str, str], Setting]:
        """What the files choose, by namespace and name, before the EB CLI has its say; the last one wins."""
        return {(one.namespace, one.name): one for one in self.settings}

    @cached_property
    def presets(self) -> dict[tuple[str, str], str]:
        """What `eb create` sets by itself for this configuration, over everything."""
        return options.presets(self.configuration.has_cli_presets)

    def value(self, namespace: str, name: str, default: str = "") -> str:
        """The value that takes effect as the platform compares it; `default` where nothing sets it."""
        found = self.setting(namespace, name)
        return default if found is None or found.value is None else found.text

    def number(self, namespace: str, name: str, default: int) -> int:
        """The same as a whole number; `default` too where the value is none, which another rule tells."""
        text = self.value(namespace, name)
        return int(text) if text.removeprefix("-").isdecimal() else default

    @cached_property
    def properties(self) -> dict[str, str]:
        """The environment properties that the application will see, as far as the bundle knows them."""
        return {one.name: one.text for one in self.settings if one.namespace == ENVIRONMENT}

    @property
    def is_load_balanced(self) -> bool:
        kind = self.value("aws:elasticbeanstalk:environment", "EnvironmentType", "LoadBalanced")
        return kind.lower() == "loadbalanced"

    @property
    def load_balancer(self) -> str:
        """`application`, `network` or `classic`, as the files ask for it; empty for a single instance."""
        key = ("aws:elasticbeanstalk:environment", "LoadBalancerType")
        chosen = self.chosen.get(key)
        kind = chosen.text if chosen else self.presets.get(key, "classic")
        return kind.lower() if self.is_load_balanced else ""

    @property
    def has_procfile(self) -> bool:
        return "Procfile" in self.bundle
