"""How rules are run, once for each configuration, and what becomes of one that breaks."""

from collections.abc import Iterator

from ebtools.preflight import engine
from ebtools.preflight.case import Case, Configuration
from ebtools.preflight.configurations import plain
from ebtools.preflight.findings import Finding, NotRun, Outcome, Rule
from tests.preflight.bundles import bundle

STAGING = Configuration("staging", has_cli_presets=False)


def rule(check: object, severity: str = "error") -> Rule:
    return Rule("tests/one", "A rule", "It fails.", "Mend it.", check, severity)  # type: ignore[arg-type]


def always(case: Case) -> Iterator[Outcome]:
    yield Finding("wrong", "a.txt", 3)
    yield Finding("wrong", "a.txt", 3)


def only_staging(case: Case) -> Iterator[Outcome]:
    if case.configuration.name == "staging":
        yield Finding("wrong there", "a.txt", 3)


def broken(case: Case) -> Iterator[Outcome]:
    yield Finding("wrong", "a.txt", 3)
    raise KeyError("hunter2")


def not_able(case: Case) -> Iterator[Outcome]:
    yield NotRun("a program is missing")


def test_what_holds_everywhere_is_said_once_with_all_names() -> None:
    report = engine.run(bundle(), [plain(), STAGING], [rule(always)])
    (result,) = report.results
    assert result.configurations == ("eb create", "staging")
    assert report.ran == {"eb create": 1, "staging": 1}
    assert not report.is_clean


def test_what_holds_in_one_configuration_names_it() -> None:
    (result,) = engine.run(bundle(), [plain(), STAGING], [rule(only_staging)]).results
    assert result.configurations == ("staging",)


def test_a_rule_that_breaks_has_not_run_and_is_no_success() -> None:
    report = engine.run(bundle(), [plain()], [rule(broken)])
    assert [outcome.reason for _, outcome in report.not_run] == ["the rule itself failed with KeyError"]
    assert len(report.findings) == 1
    assert report.ran == {"eb create": 0}
    assert not report.is_clean


def test_a_rule_that_cannot_run_is_a_failure_unless_it_is_allowed_by_name() -> None:
    assert not engine.run(bundle(), [plain()], [rule(not_able)]).is_clean
    assert engine.run(bundle(), [plain()], [rule(not_able)], ["tests/one"]).is_clean
    assert not engine.run(bundle(), [plain()], [rule(not_able)], ["tests/two"]).is_clean


def test_warnings_alone_stop_nothing() -> None:
    report = engine.run(bundle(), [plain()], [rule(always, "warning")])
    assert report.count("warning") == 1
    assert report.is_clean
