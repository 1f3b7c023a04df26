"""What a deployment is told by the bundle's own options, and what of it passes faster here."""

import zipfile
from pathlib import Path

import pytest

from ebtools.preflight import configurations
from ebtools.preflight.bundle import Bundle
from ebtools.preflight.case import Case, Configuration
from ebtools.rehearse.pace import Pace

OPTIONS = """option_settings:
  aws:autoscaling:asg: {MinSize: 3, MaxSize: 6}
  aws:elasticbeanstalk:command: {BatchSizeType: "%s", BatchSize: %d, Timeout: 900}
  aws:elasticbeanstalk:trafficsplitting: {NewVersionPercent: 20, EvaluationTime: 10}
"""


def case(folder: Path, kind: str, size: int) -> Case:
    path = folder / "bundle.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("application.py", "application = None\n")
        archive.writestr(".ebextensions/01.config", OPTIONS % (kind, size))
    return Case(Bundle.of_archive(path), Configuration("saved", has_cli_presets=False))


@pytest.mark.parametrize(
    ("kind", "size", "instances", "batch"),
    [
        ("Fixed", 2, None, 2),
        ("Fixed", 9, None, 2),
        ("Percentage", 30, None, 1),
        ("Percentage", 34, 6, 3),
        ("Percentage", 100, 4, 3),
        ("Percentage", 1, 1, 1),
    ],
)
def test_one_instance_stays_in_service_however_large_a_batch_is(
    tmp_path: Path, kind: str, size: int, instances: int | None, batch: int
) -> None:
    pace = Pace.of(case(tmp_path, kind, size), scale=1, instances=instances)
    assert pace.batch == batch
    assert pace.instances == (instances or 3)


def test_what_eb_create_sets_by_itself_goes_over_the_bundles_own(tmp_path: Path) -> None:
    created = Case(case(tmp_path, "Fixed", 3).bundle, configurations.plain())
    assert Pace.of(created, scale=1, instances=4).batch == 2, "30 percent"


def test_waits_are_scaled_and_patience_is_not(tmp_path: Path) -> None:
    pace = Pace.of(case(tmp_path, "Fixed", 1), scale=0.1)
    assert (pace.split_percent, pace.split_seconds) == (20, pytest.approx(60))
    assert (pace.check_seconds, pace.name_seconds) == (pytest.approx(1), pytest.approx(6))
    assert pace.deploy_seconds == 900
