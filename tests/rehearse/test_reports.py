"""The reports of one rehearsal that passed in part: what stands in the terminal, the page, the JSON and the picture."""

import io
import json
from pathlib import Path
from xml.etree import ElementTree

import pytest

from ebtools.rehearse import report_document, report_json
from ebtools.rehearse.chart import chart, standalone
from ebtools.rehearse.record import Act, Check, Exchange, Moment, Rehearsal, Span
from ebtools.rehearse.report_page import MOST_ROWS, page
from ebtools.rehearse.report_text import Progress, screen

ABOUT = {
    "date": "2026-01-02 03:04 UTC",
    "command": "python -m ebtools rehearse rolling",
    "machine": "2 cores of a <fast> one",
    "python": "3.11",
    "gunicorn": "23",
    "haproxy": "3",
    "nginx": "1.26",
    "waits": "0.1 of those on AWS",
    "load": "120 requests a second",
    "instances": "3",
}


def exchange(due: float, outcome: str = "good", cause: str = "", took: float = 0.02) -> Exchange:
    status = {"good": 200, "refused": 503, "failed": 0}[outcome]
    return Exchange(due, took, "GET", "/api/v1/items?q=<b>", status, outcome, f"r{due}", cause)


@pytest.fixture
def rehearsal() -> Rehearsal:
    good = Act("rolling", "Rolling: batch after batch", "policy", 3.0, [exchange(n / 100) for n in range(300)])
    good.checks = [Check("failed requests", "0", "0", passed=True), Check("versions", "v2", "i1 v2", passed=True)]
    good.moments = [Moment(1.0, "deploy", "v2 is deployed"), Moment(2.0, "balancer", "i1 gets requests")]
    good.spans = [Span("i1", "v1", "in service", 0, 1), Span("i1", "v2", "starting", 1, 2)]
    bad = Act("failover", "The database fails over", "fault", 2.0, [exchange(n / 100) for n in range(100)])
    bad.exchanges += [exchange(1 + n / 1000, "failed", "<reset> by the server") for n in range(250)]
    bad.exchanges += [exchange(1.5, "failed", "no answer within 10 s", 10.0), exchange(1.6, "refused", "overloaded")]
    bad.checks = [Check("first success", "within 1 s", "after 2.00 s", passed=False)]
    bad.logs = "logs/failover/"
    return Rehearsal(ABOUT, ["the health agent"], [good, bad])


def test_one_line_for_each_act_and_more_only_where_one_failed(rehearsal: Rehearsal) -> None:
    lines = screen(rehearsal, Path("dist/index.html"), io.StringIO()).splitlines()
    assert lines[1].split() == ["ok", "rolling", "300", "0", "0", "20", "ms", "versions:", "i1", "v2"]
    assert lines[2].startswith("FAILED failover")
    assert lines[2].split()[2:5] == ["352", "251", "1"]
    assert [line.strip() for line in lines[3:7]] == [
        "first success: within 1 s, but after 2.00 s",
        "250 × <reset> by the server",
        "1 × no answer within 10 s",
        "its logs are in logs/failover/ beside the report",
    ]
    assert lines[-1] == "FAILED"
    assert not any("\033" in line for line in lines), "colours are for terminals"
    assert len(lines) == 10


def test_progress_tells_moments_and_verdicts(rehearsal: Rehearsal) -> None:
    output = io.StringIO()
    progress = Progress(output)
    for act in rehearsal.acts:
        progress.begin(act.title)
        for moment in act.moments:
            progress.moment(moment)
        progress.end(act)
    told = output.getvalue()
    assert "     1.0 s  v2 is deployed\n" in told
    assert "  ok: 300 requests, 0 failed, 0 refused in 3 s\n" in told
    assert "  FAILED: 352 requests, 251 failed, 1 refused in 2 s\n" in told


def test_the_page_names_each_failed_request_with_its_moment_and_cause(rehearsal: Rehearsal) -> None:
    text = page(rehearsal)
    assert text.count("<svg") == 2
    assert "251 requests failed" in text
    assert f"and {251 - MOST_ROWS} more" in text
    assert '<td class="n">1.00 s<td class="n">0.02 s<td>GET /api/v1/items?q=&lt;b&gt;<td class="n"><td>' in text
    assert "&lt;reset&gt; by the server" in text
    assert "<reset>" not in text
    assert "2 cores of a &lt;fast&gt; one" in text
    assert text.count('<a href="logs/failover/">') == 1
    assert "http" not in text.replace("http-equiv", ""), "nothing is loaded from elsewhere"


def test_the_json_has_every_request_that_was_not_good(rehearsal: Rehearsal) -> None:
    document = json.loads(json.dumps(report_json.document(rehearsal)))
    assert document["passed"] is False
    first, second = document["acts"]
    assert (first["passed"], first["sent"], first["not_good"]) == (True, 300, [])
    assert [one["sent"] for one in first["by_second"]] == [100, 100, 100]
    assert len(second["not_good"]) == 252
    assert second["not_good"][250]["cause"] == "no answer within 10 s"
    assert second["checks"] == [
        {"name": "first success", "wanted": "within 1 s", "found": "after 2.00 s", "passed": False}
    ]


def test_the_picture_is_well_formed_and_shows_each_second_instance_and_moment(rehearsal: Rehearsal) -> None:
    act = rehearsal.acts[0]
    drawn = ElementTree.fromstring(standalone(act))  # noqa: S314 - our own.
    titles = [title.text for title in drawn.iter("{http://www.w3.org/2000/svg}title")]
    assert titles == ["i1: v1, in service, 0.0 to 1.0 s", "i1: v2, starting, 1.0 to 2.0 s"]
    assert drawn.get("aria-label") == "300 requests over 3 seconds, 0 failed, 0 refused"
    assert chart(act).count('fill="var(--good)"') == 3 + 1, "three seconds, and the legend"
    assert chart(rehearsal.acts[1]).count('fill="var(--failed)"') == 1 + 1


def test_the_document_is_replaced_between_its_marks(rehearsal: Rehearsal, tmp_path: Path) -> None:
    path = tmp_path / "rehearsal.md"
    path.write_text("before\n<!-- rehearsal:start -->\nold\n<!-- rehearsal:end -->\nafter\n")
    report_document.write(rehearsal, tmp_path)
    text = path.read_text()
    assert text.startswith("before\n<!-- rehearsal:start -->\n## What it showed\n")
    assert text.endswith("\n<!-- rehearsal:end -->\nafter\n")
    assert "old" not in text
    assert "| rolling | ok | 300 | 0 | 0 | 20 ms | versions: i1 v2 |" in text
    assert "| failover | **failed** | 352 | 251 | 1 | 20 ms | first success: after 2.00 s |" in text
    assert (tmp_path / "rehearsal.svg").read_text() == standalone(rehearsal.acts[0])
    report_document.write(rehearsal, tmp_path)
    assert path.read_text() == text


def test_an_act_that_checked_nothing_has_not_passed() -> None:
    assert not Act("rolling", "Rolling", "policy", 1.0).passed
    assert not Rehearsal(ABOUT, [], []).passed
