"""HAProxy in the load balancer's place: whom it asks, whom it leaves out, and why a request failed."""

import http.client
import os
import re
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import replace
from pathlib import Path

import pytest

from ebtools.preflight import options
from ebtools.rehearse import balancer_config, balancer_log
from ebtools.rehearse.balancer import Balancer, BalancerError, Hop, Thresholds
from ebtools.rehearse.balancer_config import BALANCER, PROCESS
from ebtools.rehearse.balancer_log import AccessLog
from tests.rehearse.targets import Target

ROOT = Path(__file__).parents[2]
FAST = Thresholds(path="/health", interval=0.1, timeout=2, healthy=2, unhealthy=3, matcher="200", delay=10.0, idle=20.0)
# Longer than anything here takes on a busy machine.
PATIENCE = 30.0


class Stage:
    """A balancer with targets, and a client."""

    def __init__(self, folder: Path, thresholds: Thresholds) -> None:
        self.events: list[str] = []
        self.stack = ExitStack()
        self.targets: dict[str, Target] = {}
        self.balancer = Balancer(folder, "127.0.0.9", free_port(), thresholds, on_event=self.events.append)
        self.stack.enter_context(self.balancer)

    def add(self, *names: str, group: str = "main") -> list[Target]:
        """Registered targets that are healthy."""
        added = [self.target(name) for name in names]
        for target in added:
            self.balancer.register(group, target.name, *target.address)
        self.balancer.wait_healthy(group, names, PATIENCE)
        return added

    def target(self, name: str) -> Target:
        self.targets[name] = self.stack.enter_context(Target(name))
        return self.targets[name]

    def client(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.9", self.balancer.port, timeout=PATIENCE)

    def get(self, path: str = "/", request_id: str = "", **headers: str) -> tuple[int, str]:
        with closing(self.client()) as client:
            return ask(client, path, request_id, **headers)

    def why(self, request_id: str) -> Hop:
        eventually(lambda: request_id in self.balancer.causes())
        return self.balancer.causes()[request_id]


def ask(client: http.client.HTTPConnection, path: str, request_id: str = "", **headers: str) -> tuple[int, str]:
    client.request("GET", path, headers=headers | ({"X-Request-Id": request_id} if request_id else {}))
    answer = client.getresponse()
    return answer.status, answer.read().decode()


def eventually(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.9", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    made = Stage(tmp_path, FAST)
    with made.stack:
        yield made


@pytest.fixture
def run_in_threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(8) as pool:
        yield pool


def test_requests_go_round_all_healthy_targets(stage: Stage) -> None:
    stage.add("i1", "i2")
    assert Counter(stage.get() for _ in range(20)) == {(200, "i1"): 10, (200, "i2"): 10}


def test_a_target_is_told_who_asked_and_how(stage: Stage) -> None:
    (target,) = stage.add("i1")
    stage.get(**{"X-Forwarded-For": "192.0.2.7, 192.0.2.1", "X-Forwarded-Proto": "https"})
    headers = {name.lower(): value for name, value in target.headers[0].items()}
    assert headers["x-forwarded-proto"] == "http"
    assert headers["x-forwarded-port"] == str(stage.balancer.port)
    assert headers["x-forwarded-for"] == "192.0.2.7, 192.0.2.1, 127.0.0.1"
    stage.get()
    assert target.headers[1]["x-forwarded-for"] == "127.0.0.1"


def test_connections_to_a_target_are_used_again(stage: Stage) -> None:
    (target,) = stage.add("i1")
    for _ in range(20):
        stage.get()
    assert len(target.paths) == 20
    assert len(target.connections) < 5


def test_a_client_keeps_its_connection(stage: Stage) -> None:
    stage.add("i1")
    with closing(stage.client()) as client:
        ask(client, "/")
        kept = client.sock
        ask(client, "/")
        assert client.sock is kept is not None


def test_a_new_target_gets_nothing_until_it_has_passed_a_health_check(stage: Stage) -> None:
    stage.add("i1")
    late = stage.target("i2")
    late.health_status = 503
    stage.balancer.register("main", "i2", *late.address)
    assert {stage.get() for _ in range(10)} == {(200, "i1")}
    eventually(lambda: late.checks[503] > 0)
    assert {stage.get() for _ in range(10)} == {(200, "i1")}
    late.health_status = 200
    stage.balancer.wait_healthy("main", ["i1", "i2"], PATIENCE)
    assert {stage.get()[1] for _ in range(10)} == {"i1", "i2"}


def test_one_passed_check_is_enough_at_first(tmp_path: Path) -> None:
    stage = Stage(tmp_path, replace(FAST, interval=1.0, healthy=10))
    with stage.stack:
        (target,) = stage.add("i1")
        assert target.checks[200] < 10


def test_a_target_that_never_passes_becomes_unhealthy(stage: Stage) -> None:
    bad = stage.target("i1")
    bad.health_status = 404
    stage.balancer.register("main", "i1", *bad.address)
    assert stage.balancer.health("main") == {"i1": "initial"}
    eventually(lambda: stage.balancer.health("main") == {"i1": "unhealthy"})


def test_a_target_goes_after_the_unhealthy_threshold_and_returns_after_the_healthy_one(stage: Stage) -> None:
    _, second = stage.add("i1", "i2")
    second.checks.clear()
    second.health_status = 500
    eventually(lambda: stage.balancer.health("main")["i2"] == "unhealthy")
    assert second.checks[500] >= FAST.unhealthy
    assert {stage.get() for _ in range(10)} == {(200, "i1")}
    second.checks.clear()
    second.health_status = 200
    stage.balancer.wait_healthy("main", ["i2"], PATIENCE)
    assert second.checks[200] >= FAST.healthy
    assert {stage.get()[1] for _ in range(10)} == {"i1", "i2"}
    eventually(lambda: stage.events[-1] == "i2 in main is healthy")
    assert "i2 in main is unhealthy" in stage.events


def test_a_dead_target_costs_its_share_until_it_is_out(tmp_path: Path) -> None:
    stage = Stage(tmp_path, replace(FAST, interval=2.0, unhealthy=10))
    with stage.stack:
        first, second = stage.add("i1", "i2")
        second.stop()
        assert Counter(stage.get(request_id=f"r{number}")[0] for number in range(6)) == {200: 3, 502: 3}
        # None of those that failed was tried again here.
        assert len(first.paths) == 3
        eventually(lambda: len(stage.balancer.causes()) == 3)
        assert {hop.cause for hop in stage.balancer.causes().values()} == {"connection to i2 refused"}


def test_a_dead_target_goes_and_may_return(stage: Stage) -> None:
    _, second = stage.add("i1", "i2")
    second.stop()
    eventually(lambda: stage.balancer.health("main")["i2"] == "unhealthy")
    assert {stage.get() for _ in range(10)} == {(200, "i1")}
    stage.stack.enter_context(Target("i2", *second.address))
    stage.balancer.wait_healthy("main", ["i1", "i2"], PATIENCE)
    assert {stage.get()[1] for _ in range(10)} == {"i1", "i2"}


def test_no_request_fails_and_none_is_uncounted_while_targets_come_and_go(
    stage: Stage, run_in_threads: ThreadPoolExecutor
) -> None:
    stage.add("i0")
    over = threading.Event()

    def visit() -> Counter[int]:
        statuses: Counter[int] = Counter()
        while not over.is_set():
            with closing(stage.client()) as client:
                statuses.update(ask(client, "/sleep/0.003")[0] for _ in range(20))
        return statuses

    visitors = [run_in_threads.submit(visit) for _ in range(4)]
    try:
        for number in range(1, 7):
            stage.add(f"i{number}")
            stage.balancer.deregister("main", f"i{number - 1}", on_event=stage.events.append)
    finally:
        over.set()
    statuses = sum((visitor.result(PATIENCE) for visitor in visitors), Counter[int]())
    assert set(statuses) == {200}
    assert stage.balancer.causes() == {}
    assert {len(stage.targets[f"i{number}"].paths) > 0 for number in range(7)} == {True}
    counts = stage.balancer.counts
    eventually(lambda: sum(counted["2xx"] for counted in counts().values()) == statuses[200])


def test_a_refused_connection_is_502_and_says_so(tmp_path: Path) -> None:
    # Fail open: nothing else is there to ask.
    stage = Stage(tmp_path, FAST)
    with stage.stack:
        stage.balancer.register("main", "i1", "127.0.0.1", free_port())
        assert stage.get(request_id="a")[0] == 502
        hop = stage.why("a")
        assert (hop.cause, hop.status, hop.group) == ("connection to i1 refused", 502, "main")


def test_without_any_target_the_answer_is_503(stage: Stage) -> None:
    assert stage.get(request_id="a")[0] == 503
    hop = stage.why("a")
    assert (hop.server, hop.status, hop.cause) == ("", 503, "no healthy target")


def test_when_all_targets_are_unhealthy_all_get_requests(stage: Stage) -> None:
    for target in stage.add("i1", "i2"):
        target.health_status = 500
    eventually(lambda: set(stage.balancer.health("main").values()) == {"unhealthy"})
    assert Counter(stage.get() for _ in range(10)) == {(200, "i1"): 5, (200, "i2"): 5}


def test_a_draining_target_finishes_and_gets_nothing_new(stage: Stage, run_in_threads: ThreadPoolExecutor) -> None:
    first, _ = stage.add("i1", "i2")
    slow = [run_in_threads.submit(stage.get, "/sleep/2", f"slow{number}") for number in range(2)]
    eventually(lambda: first.paths == ["/sleep/2"])
    events: list[str] = []
    leaving = run_in_threads.submit(stage.balancer.deregister, "main", "i1", on_event=events.append)
    eventually(lambda: stage.balancer.health("main") == {"i1": "draining", "i2": "healthy"})
    assert stage.balancer.in_flight("main", "i1") == 1
    assert {stage.get() for _ in range(10)} == {(200, "i2")}
    assert {future.result(PATIENCE) for future in slow} == {(200, "i1"), (200, "i2")}
    leaving.result(PATIENCE)
    assert first.paths == ["/sleep/2"]
    assert stage.balancer.health("main") == {"i2": "healthy"}
    assert events[0] == "i1 drains with 1 requests under way"
    assert events[1].endswith("0 requests were cut")


def test_what_outlasts_the_deregistration_delay_is_cut(tmp_path: Path, run_in_threads: ThreadPoolExecutor) -> None:
    stage = Stage(tmp_path, replace(FAST, delay=0.2))
    with stage.stack:
        (target,) = stage.add("i1")
        slow = run_in_threads.submit(stage.get, "/sleep/5", "slow")
        eventually(lambda: target.paths == ["/sleep/5"])
        events: list[str] = []
        stage.balancer.deregister("main", "i1", on_event=events.append)
        assert slow.result(PATIENCE)[0] == 502
        assert events[-1].endswith("1 requests were cut")
        assert stage.why("slow").cause == "cut when i1 left: the deregistration delay was over"
        assert stage.balancer.health("main") == {}


def test_a_target_may_return_under_its_name(stage: Stage) -> None:
    stage.add("i1", "i2")
    for _ in range(6):
        stage.get()
    stage.balancer.deregister("main", "i1", on_event=stage.events.append)
    stage.balancer.register("main", "i1", *stage.targets["i1"].address)
    stage.balancer.wait_healthy("main", ["i1"], PATIENCE)
    assert {stage.get()[1] for _ in range(10)} == {"i1", "i2"}


def test_a_request_to_a_target_killed_meanwhile_is_one_502_and_is_not_tried_elsewhere(
    stage: Stage, run_in_threads: ThreadPoolExecutor
) -> None:
    (other,) = stage.add("i1")
    program = [sys.executable, "-m", "tests.rehearse.targets", "i2"]
    with subprocess.Popen(program, stdout=subprocess.PIPE, cwd=ROOT) as process:
        assert process.stdout is not None
        stage.balancer.register("main", "i2", "127.0.0.1", int(process.stdout.readline()))
        stage.balancer.wait_healthy("main", ["i2"], PATIENCE)
        asked = [run_in_threads.submit(stage.get, "/sleep/3", f"r{number}") for number in range(2)]
        eventually(lambda: stage.balancer.in_flight("main", "i2") == 1 and other.paths == ["/sleep/3"])
        process.kill()
        assert sorted(future.result(PATIENCE)[0] for future in asked) == [200, 502]
    assert other.paths == ["/sleep/3"]
    ((request_id, hop),) = stage.balancer.causes().items()
    assert request_id in {"r0", "r1"}
    assert (hop.server, hop.status, hop.cause) == ("i2", 502, "i2 closed the connection before answering")


def test_a_later_request_of_a_kept_connection_is_answered_too_when_its_target_fails(stage: Stage) -> None:
    stage.add("i1")
    with closing(stage.client()) as client:
        assert [ask(client, path)[0] for path in ("/", "/drop", "/")] == [200, 502, 200]


def test_weights_divide_the_requests_between_the_groups(stage: Stage) -> None:
    stage.add("i1")
    stage.add("c1", group="canary")
    assert {stage.get()[1] for _ in range(20)} == {"i1"}
    stage.balancer.set_weights({"main": 90, "canary": 10})
    with closing(stage.client()) as client:
        answers = Counter(ask(client, "/")[1] for _ in range(1000))
    # Beyond these lies less than one run in a million.
    assert 50 <= answers["c1"] <= 150
    assert sum(answers.values()) == 1000
    stage.balancer.set_weights({"canary": 1})
    assert {stage.get()[1] for _ in range(20)} == {"c1"}


@pytest.mark.parametrize("weights", [{}, {"main": 0}, {"main": -1, "canary": 2}, {"other": 1}])
def test_weights_that_mean_nothing_are_refused(stage: Stage, weights: dict[str, int]) -> None:
    with pytest.raises(BalancerError, match="weights are numbers for main and canary"):
        stage.balancer.set_weights(weights)


@pytest.mark.parametrize(
    ("path", "status", "cause"),
    [
        ("/status/500", 500, "i1 answered 500"),
        ("/drop", 502, "i1 closed the connection before answering"),
        ("/half", 200, "i1 broke off its answer"),
    ],
)
def test_each_failure_has_its_cause(stage: Stage, path: str, status: int, cause: str) -> None:
    stage.add("i1")
    try:
        assert stage.get(path, "a")[0] == status
    except http.client.IncompleteRead:
        assert path == "/half"
    hop = stage.why("a")
    assert (hop.server, hop.status, hop.cause) == ("i1", status, cause)


def test_what_went_well_is_only_counted(stage: Stage) -> None:
    stage.add("i1")
    for path in ("/", "/status/302", "/status/404", "/status/503"):
        stage.get(path, path)
    stage.why("/status/503")
    assert set(stage.balancer.causes()) == {"/status/503"}
    total: Counter[str] = Counter()
    for (_, name), counted in stage.balancer.counts().items():
        assert name == "i1"
        total += counted
    assert total == {"2xx": 1, "3xx": 1, "4xx": 1, "5xx": 1}


def test_a_client_that_gives_up_is_not_the_targets_fault(stage: Stage) -> None:
    (target,) = stage.add("i1")
    with closing(stage.client()) as client:
        client.request("GET", "/sleep/20", headers={"X-Request-Id": "a"})
        eventually(lambda: target.paths == ["/sleep/20"])
    assert stage.why("a").cause == "the client gave up"


def test_a_target_that_does_not_answer_within_the_idle_time_is_504(tmp_path: Path) -> None:
    stage = Stage(tmp_path, replace(FAST, idle=0.5))
    with stage.stack:
        stage.add("i1")
        assert stage.get("/sleep/20", "a")[0] == 504
        assert stage.why("a").cause == "i1 did not answer in time"


def test_a_target_that_takes_no_connection_is_504(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(balancer_config, "CONNECT_SECONDS", 0.3)
    stage = Stage(tmp_path, FAST)
    with stage.stack, socket.create_server(("127.0.0.1", 0), backlog=0) as full, ExitStack() as waiting:
        for _ in range(4):
            client = waiting.enter_context(socket.socket())
            client.setblocking(False)
            client.connect_ex(full.getsockname())
        stage.balancer.register("main", "i1", "127.0.0.1", full.getsockname()[1])
        assert stage.get(request_id="a")[0] == 504
        assert stage.why("a").cause == "i1 did not take the connection"


def test_what_the_configuration_cannot_say_is_refused_in_haproxys_own_words(tmp_path: Path) -> None:
    balancer = Balancer(tmp_path, "127.0.0.9", free_port(), replace(FAST, matcher="lots"))
    with pytest.raises(BalancerError, match=r"invalid character 'l' in the list of status codes"):
        balancer.start()
    balancer.stop()


def test_a_path_cannot_smuggle_lines_into_the_configuration(tmp_path: Path) -> None:
    balancer = Balancer(tmp_path, "127.0.0.9", free_port(), replace(FAST, path="/\nlisten more"))
    with pytest.raises(BalancerError, match="holds a character"):
        balancer.start()


def test_an_address_that_is_taken_is_said_in_haproxys_own_words(stage: Stage, tmp_path: Path) -> None:
    second = Balancer(tmp_path, "127.0.0.9", stage.balancer.port, FAST)
    with pytest.raises(BalancerError, match=r"cannot bind socket"):
        second.start()


def test_a_name_is_taken_once_and_must_be_one(stage: Stage) -> None:
    stage.add("i1")
    with pytest.raises(BalancerError, match="Already exists a server with the same name"):
        stage.balancer.register("main", "i1", "127.0.0.1", 1)
    with pytest.raises(BalancerError, match="is no target's name"):
        stage.balancer.register("main", "i2; shutdown sessions server main/i1", "127.0.0.1", 1)
    with pytest.raises(BalancerError, match="i9 is no target of main"):
        stage.balancer.deregister("main", "i9", on_event=stage.events.append)


def test_waiting_for_a_sick_target_ends_with_its_state(stage: Stage) -> None:
    stage.balancer.register("main", "i1", "127.0.0.1", free_port())
    with pytest.raises(BalancerError, match=r"after 0.2 s i1 is (initial|unhealthy), i2 is no target"):
        stage.balancer.wait_healthy("main", ["i1", "i2"], 0.2)


def test_a_balancer_that_is_gone_says_so(tmp_path: Path) -> None:
    stage = Stage(tmp_path, FAST)
    with stage.stack:
        stage.add("i1")
    stage.balancer.stop()
    with pytest.raises(BalancerError, match="the load balancer does not answer"):
        stage.balancer.health("main")
    with pytest.raises(ConnectionRefusedError):
        stage.get()


def test_thresholds_come_from_the_packages_own_options() -> None:
    found = {(one.namespace, one.name): one.text for one in options.settings_in(ROOT / ".ebextensions")}
    assert Thresholds.of(found, scale=0.1) == Thresholds(
        path="/health/live", interval=1.0, timeout=0.5, healthy=2, unhealthy=3, matcher="200", delay=3.5, idle=55.0
    )


def test_thresholds_that_a_package_leaves_out_are_the_platforms() -> None:
    assert Thresholds.of({(PROCESS, "HealthCheckTimeout"): "3"}, scale=0.01) == Thresholds(
        path="/", interval=0.15, timeout=0.5, healthy=3, unhealthy=5, matcher="200", delay=0.2, idle=60.0
    )


def test_a_threshold_that_is_no_number_is_named() -> None:
    with pytest.raises(BalancerError, match=r"aws:elbv2:loadbalancer IdleTimeout: 'long' is no whole number"):
        Thresholds.of({(BALANCER, "IdleTimeout"): "long"})


def test_the_access_log_forgets_the_oldest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(balancer_log, "MOST_HOPS", 3)
    monkeypatch.setattr(balancer_log, "MOST_SECONDS", 10)
    read, written = os.pipe()
    log = AccessLog()
    with os.fdopen(written, "w") as lines:
        log.follow(os.fdopen(read, "rb"))
        for second in range(30):
            lines.write(f"{second}.5\tmain-open\ti1\t500\t--\t20\t1\tr{second}\n")
        lines.write("[NOTICE] something else\n")
    log.join(PATIENCE)
    assert list(log.causes()) == ["r27", "r28", "r29"]
    assert log.causes()["r29"] == Hop("i1", 500, "--", "i1 answered 500", "main", 29.5, 0.02)
    assert min(second for second, _ in log.counts()) == 19


def test_nothing_is_left_behind(stage: Stage) -> None:
    stage.add("i1")
    (folder,) = re.findall(r"stats socket '(.*)/control'", (stage.balancer.folder / "haproxy.cfg").read_text())
    assert Path(folder).exists()
    stage.stack.close()
    names = {thread.name for thread in threading.enumerate()}
    assert not names & {"target health", "access log"}
    assert not Path(folder).exists()
