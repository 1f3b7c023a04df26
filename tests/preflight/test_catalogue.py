"""The catalogue of rules: what each says of itself, and what docs/preflight.md says of them."""

import re
from pathlib import Path

import pytest

from ebtools.preflight.catalogue import PLATFORM, PROFILES
from ebtools.preflight.findings import Rule

ROOT = Path(__file__).resolve().parents[2]
GUIDE = (ROOT / "docs" / "preflight.md").read_text()
ALL = {rule.id: rule for rules in PROFILES.values() for rule in rules}


@pytest.mark.parametrize("rule", ALL.values(), ids=list(ALL))
def test_a_rule_says_why_and_how_to_mend_in_sentences(rule: Rule) -> None:
    assert re.fullmatch(r"[a-z]+(?:-[a-z]+)*/[a-z0-9]+(?:-[a-z0-9]+)*", rule.id)
    assert rule.title[0].isupper()
    assert not rule.title.endswith(".")
    for text in (rule.why, rule.mend):
        assert text[0].isupper() or text[0] == "`" or text.startswith("unzip ")
        assert text.endswith((".", "'.", "`."))


def test_no_two_rules_share_an_id() -> None:
    for rules in PROFILES.values():
        assert len({rule.id for rule in rules}) == len(rules)


def test_every_profile_begins_with_the_platform() -> None:
    assert all(rules[: len(PLATFORM)] == PLATFORM for rules in PROFILES.values())


def test_no_rule_of_the_platform_knows_whose_bundle_it_reads() -> None:
    folder = ROOT / "ebtools" / "preflight" / "rules"
    knowing = [path.name for path in folder.glob("*.py") if re.search(r"fastier", path.read_text(), re.IGNORECASE)]
    assert set(knowing) <= {"fastier.py"}


def failure_modes() -> dict[int, list[str]]:
    """The guide's table: a failure's number and the rules that find it."""
    rows = re.findall(r"^\| (\d+) \|[^|]*\|([^|]*)\|$", GUIDE, re.MULTILINE)
    return {int(number): re.findall(r"`([a-z-]+/[a-z0-9-]+)`", rules) for number, rules in rows}


def test_every_failure_mode_has_rules_that_there_are() -> None:
    modes = failure_modes()
    assert sorted(modes) == list(range(1, 16))
    assert all(modes.values())
    assert {rule for rules in modes.values() for rule in rules} <= set(ALL)


def test_every_rule_is_in_the_guide_and_no_other() -> None:
    assert set(re.findall(r"`([a-z]+(?:-[a-z]+)*/[a-z0-9-]+)`", GUIDE)) == set(ALL)
