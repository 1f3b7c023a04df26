"""The cluster that `make run` and the tests stand on."""

from sqlalchemy import create_engine, text

from ebtools.local.postgres import Cluster


def ask(url: str, statement: str) -> object:
    engine = create_engine(url)
    try:
        with engine.connect() as connection:
            return connection.execute(text(statement)).scalar_one()
    finally:
        engine.dispose()


def test_the_linguistic_cluster_sorts_unlike_bytes(linguistic_cluster: Cluster) -> None:
    url = linguistic_cluster.url()
    assert ask(url, "SELECT datcollate FROM pg_database WHERE datname = current_database()") == "en_US.UTF-8"
    assert ask(url, "SELECT 'a' < 'B'") is True
    assert ask(url, """SELECT 'a' < 'B' COLLATE "C" """) is False


def test_the_cluster_of_the_tests_sorts_by_bytes_and_knows_letters(cluster: Cluster) -> None:
    assert ask(cluster.url(), "SELECT 'a' < 'B'") is False
    assert ask(cluster.url(), "SELECT lower('ÄÖ')") == "äö"
