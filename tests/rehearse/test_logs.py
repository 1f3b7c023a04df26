"""The ends of logs are kept, of those that had to do with an act, and of nothing that a link leads to."""

from pathlib import Path

from ebtools.rehearse import logs


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_logs_of_an_act_s_instances_and_of_what_all_share_are_kept(tmp_path: Path) -> None:
    region = tmp_path / "region"
    for name in (
        "files.log",
        "database/postgres-1.log",
        "act-rolling/load.err",
        "act-failover/load.err",
        "instances/i1/root/var/log/nginx/error.log",
        "instances/i2/log/eb-engine.log",
        "instances/i3/log/eb-engine.log",
    ):
        write(region / name, f"{name}\n")
    write(region / "act-rolling/empty.err", "")
    logs.keep(region, "act-rolling", ["i1", "i2"], tmp_path / "kept")
    found = {str(path.relative_to(tmp_path / "kept")) for path in (tmp_path / "kept").rglob("*") if path.is_file()}
    assert found == {
        "files.log",
        "database/postgres-1.log",
        "act-rolling/load.err",
        "i1/nginx/error.log",
        "i2/eb-engine.log",
    }
    assert (tmp_path / "kept/i2/eb-engine.log").read_text() == "instances/i2/log/eb-engine.log\n"


def test_of_a_long_log_the_last_whole_lines_are_kept(tmp_path: Path) -> None:
    lines = [f"line {number:,}" for number in range(100_000)]
    source = write(tmp_path / "long.log", "\n".join(lines) + "\n")
    logs.keep_end(source, tmp_path / "kept.log")
    kept = (tmp_path / "kept.log").read_text().splitlines()
    assert kept == lines[-len(kept) :]
    assert logs.MOST_BYTES - 100 < (tmp_path / "kept.log").stat().st_size <= logs.MOST_BYTES


def test_what_a_link_leads_to_and_what_is_gone_are_passed_over(tmp_path: Path) -> None:
    secret = write(tmp_path / "secret", "nobody's")
    (tmp_path / "var").mkdir()
    (tmp_path / "var/shadow").symlink_to(secret)
    (tmp_path / "var/folder").symlink_to(tmp_path, target_is_directory=True)
    logs.keep_folder(tmp_path / "var", tmp_path / "kept")
    logs.keep_folder(tmp_path / "nothing", tmp_path / "kept")
    logs.keep_end(tmp_path / "gone.log", tmp_path / "kept/gone.log")
    assert not (tmp_path / "kept").exists()
