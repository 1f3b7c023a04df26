"""The scaling policy is read from the bundle, and replayed as the platform would follow it."""

from pathlib import Path

from ebtools.preflight import configurations
from ebtools.preflight.bundle import Bundle
from ebtools.preflight.case import Case
from ebtools.rehearse.scaling import Tracking, replay, tracking

ROOT = Path(__file__).resolve().parents[2]
POLICY = Tracking(target=6000, least=2, most=4, warm_up=300)


def test_the_policy_is_the_bundles_own() -> None:
    files = {str(path.relative_to(ROOT)): path.read_text() for path in (ROOT / ".ebextensions").glob("*.config")}
    found = tracking(Case(Bundle.of_files(files), configurations.plain()))
    assert found == POLICY


def test_a_bundle_without_one_has_none() -> None:
    assert tracking(Case(Bundle.of_files({"application.py": ""}), configurations.plain())) is None


def test_a_steady_load_below_the_target_adds_nothing() -> None:
    found = replay(POLICY, capacity=150, ready=100, arrivals=lambda _: 190.0, seconds=3600)
    assert (found.asked, found.served, found.refused) == ([], [], 0.0)


def test_three_minutes_above_the_target_ask_for_what_is_missing() -> None:
    found = replay(
        POLICY, capacity=150, ready=100, arrivals=lambda second: 390.0 if second >= 600 else 100.0, seconds=3600
    )
    assert found.asked == [600 + 3 * 60 - 1]
    assert found.served == [found.asked[0] + 100] * 2
    # Until then two instances serve 300 of 390.
    assert found.refused == 90 * (3 * 60 - 1 + 100)


def test_the_group_grows_no_larger_than_it_may() -> None:
    found = replay(POLICY, capacity=150, ready=100, arrivals=lambda _: 2000.0, seconds=3600)
    assert len(found.served) == 2
