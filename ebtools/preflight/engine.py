"""Runs every rule once for each configuration, and says the same thing once."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ebtools.preflight.bundle import Bundle
from ebtools.preflight.case import Case, Configuration
from ebtools.preflight.findings import Finding, NotRun, Outcome, Rule


@dataclass(frozen=True, slots=True)
class Result:
    """What a rule said, and the names of the configurations in which it holds."""

    rule: Rule
    outcome: Outcome
    configurations: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Report:
    """All that was said, by file and line; `ran` counts the rules that looked, by the configuration's name."""

    results: tuple[Result, ...]
    ran: dict[str, int]
    rules: tuple[Rule, ...]
    allowed: frozenset[str] = frozenset()

    @property
    def findings(self) -> list[tuple[Result, Finding]]:
        return [(one, one.outcome) for one in self.results if isinstance(one.outcome, Finding)]

    @property
    def not_run(self) -> list[tuple[Result, NotRun]]:
        return [(one, one.outcome) for one in self.results if isinstance(one.outcome, NotRun)]

    def count(self, severity: str) -> int:
        return sum(result.rule.severity == severity for result, _ in self.findings)

    @property
    def is_clean(self) -> bool:
        """Whether nothing stands in the way of a deployment; warnings alone do not."""
        return not self.count("error") and all(result.rule.id in self.allowed for result, _ in self.not_run)


def run(
    bundle: Bundle, configurations: Sequence[Configuration], rules: Sequence[Rule], allowed: Sequence[str] = ()
) -> Report:
    """Ask every rule about every configuration; `allowed` names the rules that need not have run."""
    said: dict[tuple[str, Outcome], list[str]] = {}
    ran: Counter[str] = Counter({configuration.name: 0 for configuration in configurations})
    for configuration in configurations:
        case = Case(bundle, configuration)
        for rule in rules:
            outcomes = _ask(rule, case)
            ran[configuration.name] += not any(isinstance(one, NotRun) for one in outcomes)
            for outcome in dict.fromkeys(outcomes):
                said.setdefault((rule.id, outcome), []).append(configuration.name)
    by_id = {rule.id: rule for rule in rules}
    results = [Result(by_id[name], outcome, tuple(where)) for (name, outcome), where in said.items()]
    return Report(tuple(sorted(results, key=_place)), dict(ran), tuple(rules), frozenset(allowed))


def _ask(rule: Rule, case: Case) -> list[Outcome]:
    return list(_until_it_breaks(rule, case))


def _until_it_breaks(rule: Rule, case: Case) -> Iterator[Outcome]:
    try:
        yield from rule.check(case)
    except Exception as error:  # A rule that breaks has not looked; whatever broke it must not pass for clean.
        yield NotRun(f"the rule itself failed with {type(error).__name__}")


def _place(result: Result) -> tuple[str, int, str, str]:
    outcome = result.outcome
    if isinstance(outcome, NotRun):
        return "", 0, result.rule.id, outcome.reason
    return outcome.file, outcome.line, result.rule.id, outcome.message
