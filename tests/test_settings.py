"""Settings: read once, checked together, and never shown."""

import pytest
from sqlalchemy.engine import make_url

from fastier.settings import DatabaseLogin, Settings, SettingsError

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


PARTS = {"RDS_HOSTNAME": "db", "RDS_PORT": "5432", "RDS_DB_NAME": "ebdb"}
OWNED = {**PARTS, "RDS_USERNAME": "root", "RDS_PASSWORD": "canary"}
ARN = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:database-"


def test_a_secret_takes_the_place_of_user_and_password() -> None:
    secrets = {"FASTIER_DB_SECRET_ARN": f"{ARN}serve", "FASTIER_DB_MIGRATE_SECRET_ARN": f"{ARN}migrate"}
    url = "postgresql+psycopg2://db:5432/ebdb?sslmode=require"
    for given in (PARTS, OWNED, {"DATABASE_URL": "postgresql://root:canary@db:5432/ebdb", "PGSSLMODE": "require"}):
        settings = Settings.from_environ({**given, **secrets})
        assert (settings.database_url, settings.database_secret) == (url, f"{ARN}serve")
        assert settings.login("migrate") == DatabaseLogin(url, f"{ARN}migrate")
        assert settings.login("backup") == settings.login("serve") == DatabaseLogin(url, f"{ARN}serve")
        assert "owner" not in settings.logins


def test_a_secret_is_named_in_full_and_never_without_that_of_who_serves() -> None:
    (fault,) = _faults({**PARTS, "FASTIER_DB_SECRET_ARN": "canary"})
    assert fault == "FASTIER_DB_SECRET_ARN must be the ARN of a secret in Secrets Manager"
    (fault,) = _faults({**OWNED, "FASTIER_DB_MIGRATE_SECRET_ARN": f"{ARN}migrate"})
    assert "FASTIER_DB_SECRET_ARN is missing" in fault
    (fault,) = _faults({"RDS_HOSTNAME": "db", "FASTIER_DB_SECRET_ARN": f"{ARN}serve"})
    assert fault.endswith("(RDS_PORT, RDS_DB_NAME missing)")


def test_derived_roles_have_a_login_each_and_nobody_is_the_owner() -> None:
    settings = Settings.from_environ({**OWNED, "FASTIER_DB_ROLES": "derived"})
    logins = {role: make_url(settings.login(role).url) for role in ("owner", "migrate", "serve", "backup")}
    assert [url.username for url in logins.values()] == ["root", "fastier_migrate", "fastier_serve", "fastier_backup"]
    assert settings.database_url == settings.login("serve").url
    passwords = {url.password for url in logins.values()}
    assert len(passwords) == 4
    assert settings.secret_key not in passwords
    again = Settings.from_environ({**OWNED, "FASTIER_DB_ROLES": "derived"})
    assert again.logins == settings.logins
    for change in ({"RDS_PASSWORD": "other"}, {"RDS_HOSTNAME": "other"}):
        other = Settings.from_environ({**OWNED, "FASTIER_DB_ROLES": "derived", **change})
        assert make_url(other.database_url).password not in passwords
    assert "canary" not in repr(settings)


def test_roles_cannot_be_derived_from_nothing() -> None:
    (fault,) = _faults({"DATABASE_URL": "postgresql://db/x", "FASTIER_DB_ROLES": "derived"})
    assert "FASTIER_DB_ROLES" in fault
    (fault,) = _faults({**OWNED, "FASTIER_DB_ROLES": "own"})
    assert fault == "FASTIER_DB_ROLES must be one of given, derived"


def test_one_login_does_everything_unless_roles_are_asked_for() -> None:
    settings = Settings.from_environ(OWNED)
    assert settings.logins == {}
    assert settings.login("migrate") == DatabaseLogin(settings.database_url)


def test_the_drivers_own_variables_complete_a_url_and_never_change_it() -> None:
    encrypted = {"PGSSLMODE": "verify-full", "PGSSLROOTCERT": "/etc/rds.pem"}
    settings = Settings.from_environ({**PRODUCTION, "DATABASE_URL": "postgresql://u:p@db/x", **encrypted})
    assert make_url(settings.database_url).query == {"sslmode": "verify-full", "sslrootcert": "/etc/rds.pem"}
    (fault,) = _faults({**PRODUCTION, "DATABASE_URL": "postgresql://u:p@db/x?sslmode=require", **encrypted})
    assert "verify-full" in fault
