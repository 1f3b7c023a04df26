"""Rules about options that are well formed and yet have no effect."""

from collections.abc import Iterator

from ebtools.preflight import options
from ebtools.preflight.case import Case
from ebtools.preflight.extensions import FOLDER, Setting
from ebtools.preflight.findings import Finding, Outcome, Rule

_ONLY_BY_API = frozenset(
    ("aws:elasticbeanstalk:environment", name) for name in ("ExternalExtensionsS3Bucket", "ExternalExtensionsS3Key")
)
# What the API shows of an environment, and no page documents as an option.
_INTERNAL = frozenset({"aws:cloudformation:template:parameter", "aws:elasticbeanstalk:control"})


def _at(setting: Setting, message: str, mend: str = "") -> Finding:
    return Finding(f"{setting.namespace} {setting.name}: {message}", setting.file, setting.line, mend)


def _twice(case: Case) -> Iterator[Outcome]:
    last: dict[tuple[str, str, str], Setting] = {}
    for setting in (one for extension in case.extensions for one in extension.settings):
        key = (setting.namespace, setting.name, setting.resource)
        earlier = last.get(key)
        if earlier is not None:
            yield _at(earlier, f"{setting.file}:{setting.line} sets it again, and that one wins")
        last[key] = setting


def _dead(case: Case) -> Iterator[Outcome]:
    if case.has_procfile:
        for setting in case.settings:
            if setting.namespace == options.DEAD_BESIDE_A_PROCFILE:
                yield _at(setting, "the Procfile replaces it")


def _overridden(case: Case) -> Iterator[Outcome]:
    for key, preset in case.presets.items():
        setting = case.chosen.get(key)
        if setting is not None and setting.text.lower() != preset.lower():
            yield _at(setting, f"`eb create` sets it to {preset}, and that wins")


def _only_by_api(case: Case) -> Iterator[Outcome]:
    for setting in case.settings:
        if setting.file.startswith(FOLDER) and (setting.namespace, setting.name) in _ONLY_BY_API:
            yield _at(setting, "it can be set by the API only")


def _internal(case: Case) -> Iterator[Outcome]:
    for setting in case.settings:
        if setting.file.startswith(FOLDER) and setting.namespace in _INTERNAL:
            yield _at(setting, "the platform sets it for itself")


RULES = (
    Rule(
        "options/set-twice",
        "An option that two places set",
        "The platform reads the files by their names, and of two values the last one wins without a word.",
        "Keep one of them.",
        _twice,
        "warning",
    ),
    Rule(
        "options/dead-beside-procfile",
        "An option that a Procfile replaces",
        "With a Procfile the platform takes the command from it and ignores every option of container:python.",
        "Remove it, and say the same in the Procfile.",
        _dead,
        "warning",
    ),
    Rule(
        "options/overridden-by-eb-cli",
        "An option that the EB CLI sets itself",
        "`eb create` sets some options directly at the API, and what the files say of them is ignored without a word.",
        "Remove it, or set it after the creation: eb config.",
        _overridden,
        "warning",
    ),
    Rule(
        "options/api-only",
        "An option that only the API may set",
        "Elastic Beanstalk refuses it in .ebextensions.",
        "Remove it, and set it where the environment is created.",
        _only_by_api,
    ),
    Rule(
        "options/internal",
        "An option that the platform keeps for itself",
        "It is not documented as an option; what it does in .ebextensions may change with any platform version.",
        "Remove it.",
        _internal,
        "warning",
    ),
)
