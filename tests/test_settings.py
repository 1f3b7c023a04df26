"""Settings: read once, checked together, and never shown."""

import pytest

from fastier.settings import Settings, SettingsError

KEY = "k" * 40
GOOD = {"DATABASE_URL": "postgresql://user:secret-canary@db/fastier", "FASTIER_SECRET_KEY": KEY}
PRODUCTION = {
    "DATABASE_URL": "postgresql://user:secret-canary@db/fastier?sslmode=verify-full",
    "FASTIER_SECRET_KEY": KEY,
    "FASTIER_ENV": "production",
    "FASTIER_STORAGE": "s3",
    "FASTIER_S3_BUCKET": "bucket",
    "FASTIER_MAIL": "ses",
    "FASTIER_PUBLIC_URL": "https://example.com",
}


def _faults(environ: dict[str, str]) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        Settings.from_environ(environ)
    return caught.value.faults


def test_the_least_that_development_needs() -> None:
    settings = Settings.from_environ(GOOD)
    assert settings.database_url == "postgresql+psycopg2://user:secret-canary@db/fastier"
    assert (settings.environment, settings.storage, settings.port) == ("development", "local", 8000)


def test_elastic_beanstalk_names_the_database_in_parts() -> None:
    parts = {"HOSTNAME": "db", "PORT": "5432", "DB_NAME": "ebdb", "USERNAME": "u", "PASSWORD": "p@:/ss"}
    settings = Settings.from_environ({f"RDS_{name}": value for name, value in parts.items()})
    assert settings.database_url == "postgresql+psycopg2://u:p%40%3A%2Fss@db:5432/ebdb?sslmode=require"


def test_all_faults_are_named_at_once_and_no_secret_is_shown() -> None:
    faults = _faults(
        {
            "RDS_HOSTNAME": "db",
            "RDS_PASSWORD": "secret-canary",
            "FASTIER_SECRET_KEY": "short-canary",
            "PORT": "http",
            "WEB_CONCURRENCY": "0",
            "FASTIER_STORAGE": "s3",
            "LOG_LEVEL": "loud",
        }
    )
    told = "\n".join(faults)
    for name in (
        "RDS_PORT",
        "FASTIER_SECRET_KEY",
        "PORT",
        "WEB_CONCURRENCY",
        "FASTIER_S3_BUCKET",
        "LOG_LEVEL",
    ):
        assert name in told
    assert "canary" not in told


def test_a_database_url_of_another_kind_is_refused_without_showing_it() -> None:
    for url in (
        "mysql://user:secret-canary@db/x",
        "secret-canary",
        "postgresql://user:secret-canary@db:port/x",
    ):
        (fault,) = _faults({**GOOD, "DATABASE_URL": url})
        assert "DATABASE_URL" in fault
        assert "canary" not in fault


def test_production_takes_its_settings() -> None:
    assert Settings.from_environ(PRODUCTION).is_production


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"FASTIER_SECRET_KEY": ""}, "FASTIER_SECRET_KEY"),
        ({"DATABASE_URL": "postgresql://u:p@db/x?sslmode=require"}, "verify-full"),
        ({"FASTIER_STORAGE": "local"}, "FASTIER_STORAGE"),
        ({"FASTIER_MAIL": "files"}, "FASTIER_MAIL"),
        ({"FASTIER_PUBLIC_URL": "http://example.com"}, "FASTIER_PUBLIC_URL"),
    ],
)
def test_production_refuses_insecure_settings(change: dict[str, str], named: str) -> None:
    (fault,) = _faults({**PRODUCTION, **change})
    assert named in fault


def test_instances_on_one_coupled_database_share_a_key_in_development() -> None:
    parts = {
        "RDS_HOSTNAME": "db",
        "RDS_PORT": "5432",
        "RDS_DB_NAME": "d",
        "RDS_USERNAME": "u",
        "RDS_PASSWORD": "canary",
    }
    first, second = (Settings.from_environ(parts).secret_key for _ in range(2))
    other = Settings.from_environ({**parts, "RDS_PASSWORD": "other"}).secret_key
    assert first == second != other
    assert "canary" not in first
    assert Settings.from_environ(GOOD | {"FASTIER_SECRET_KEY": ""}).secret_key != first
    production = {
        name: value for name, value in PRODUCTION.items() if name not in ("FASTIER_SECRET_KEY", "DATABASE_URL")
    }
    assert any("FASTIER_SECRET_KEY" in fault for fault in _faults({**production, **parts}))


def test_secrets_stay_out_of_the_repr() -> None:
    assert "canary" not in repr(Settings.from_environ(GOOD))
    assert KEY not in repr(Settings.from_environ(GOOD))
