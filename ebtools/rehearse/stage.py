"""What acts are played on: the network, the database, the files, and one environment that serves under load."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from ebtools.preflight.case import Case
from ebtools.rehearse import logs, people
from ebtools.rehearse.authority import authority
from ebtools.rehearse.balancer import Balancer, Hop, Thresholds
from ebtools.rehearse.database import Database
from ebtools.rehearse.endpoint import Keys
from ebtools.rehearse.engine import DeploymentFailed, Engine
from ebtools.rehearse.files import Files
from ebtools.rehearse.fleet import DeploymentStopped, Fleet
from ebtools.rehearse.instance import Instance, make_hosts
from ebtools.rehearse.journal import Journal, Told
from ebtools.rehearse.ledger import LedgerError, LedgerResult
from ebtools.rehearse.load import Load
from ebtools.rehearse.pace import Pace
from ebtools.rehearse.plan import Plan
from ebtools.rehearse.record import Act, Check, Exchange
from ebtools.rehearse.region import GATEWAY, Region
from ebtools.rehearse.secrets import Secrets
from ebtools.rehearse.server import Site
from ebtools.rehearse.truststore import TrustStore
from ebtools.rehearse.versions import Version, Versions

BUCKET = "rehearsal"
LEAD_SECONDS = 2.0
DATABASE_NAME = "database"
# What a db.t4g.small takes, less what RDS keeps for itself.
MAX_CONNECTIONS = 138


@dataclass(frozen=True, slots=True)
class Script:
    """One act to play: `run` does it on the stage, and `checks` judge what was seen.

    A long act goes on until the stage's number of requests has been sent. One that is Fastier's own needs its API, its
    tables or its files, which a bundle of somebody else's has not.
    """

    name: str
    title: str
    kind: str
    run: Callable[["Stage"], None]
    checks: Callable[["Stage", "Scene"], list[Check]]
    is_long: bool = False
    deadline: float = 10.0
    is_own: bool = False


def fault(
    name: str,
    title: str,
    run: Callable[["Stage"], None],
    checks: Callable[["Stage", "Scene"], list[Check]],
    deadline: float = 10.0,
    *,
    is_own: bool = False,
) -> Script:
    """The script of something that breaks."""
    return Script(name, title, "fault", run, checks, deadline=deadline, is_own=is_own)


@dataclass(slots=True)
class Scene:
    """What an act has left to be judged: its requests with their causes, its ledger, and what the act wrote down."""

    exchanges: list[Exchange]
    ledger: LedgerResult | None
    facts: dict[str, float]
    failure: str

    @property
    def failed(self) -> list[Exchange]:
        return [one for one in self.exchanges if one.outcome == "failed"]

    @property
    def refused(self) -> list[Exchange]:
        return [one for one in self.exchanges if one.outcome == "refused"]


@dataclass
class Stage:
    """Opened once for all acts; every act finds the environment whole, and leaves it so."""

    region: Region
    case: Case
    archive: Path
    venvs: Path
    overrides: Mapping[str, str]
    pace: Pace
    rate: float
    told: Told
    # At least so many are sent while a version is deployed under a policy that promises that none fails.
    requests: int = 10_000
    planted: list[str] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    not_imitated: set[str] = field(default_factory=set)
    facts: dict[str, float] = field(default_factory=dict)
    # Of load balancers that have ended since.
    causes: dict[str, Hop] = field(default_factory=dict)
    engines: dict[str, Engine] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.keys = Keys()
        self.journal = Journal(lambda: 0.0, self.told)
        self.people: people.People | None = None

    def open(self) -> None:
        """Start everything, with the first version on as many instances as the group has."""
        self.region.open()
        self.versions = Versions(self.archive, self._folder("versions"))
        self.database_nodes = self.region.node("db1"), self.region.node("db2")
        signer = authority()
        primary, standby = (Site(node.address, node.argv) for node in self.database_nodes)
        certified = signer.sign_for(DATABASE_NAME)
        folder = self._folder("database")
        self.database = Database(folder, primary, standby, max_connections=MAX_CONNECTIONS, certified=certified)
        self.database.start()
        self.hosts = self.region.folder / "hosts"
        self.move_database(self.database.address)
        node = self.region.node("truststore")
        self.truststore = TrustStore(Site(node.address, node.argv), self._folder("truststore"))
        self.truststore.start(signer.certificate)
        self._open_services()
        self.balancer = self.new_balancer("balancer", GATEWAY)
        self.fleet = self.new_fleet("i", self.balancer)
        self.version = self.versions.next()
        self.fleet.start(self.version, self.pace.instances)
        self.people = people.prepare(f"http://{GATEWAY}") if not self.paths else None

    def _open_services(self) -> None:
        node = self.region.node("s3")
        self.files = Files(self.keys)
        self.files.start(Site(node.address, node.argv), 9000, self.region.folder / "files.log")
        self.files.make_bucket(BUCKET)
        self.files_node = node
        node = self.region.node("secrets")
        self.secrets = Secrets(self.keys)
        self.secrets.start(Site(node.address, node.argv), 9001, self.region.folder / "secrets.log")
        self.secret = self.secrets.make("database", "ebroot", self.database.master_password)

    def close(self) -> None:
        """End everything that still runs; what the kernel ends with the namespaces is left to it."""
        if fleet := getattr(self, "fleet", None):
            fleet.terminate(list(fleet.members))
        for name in ("balancer", "files", "secrets", "truststore", "database"):
            if (part := getattr(self, name, None)) is not None:
                part.stop()

    def _folder(self, name: str) -> Path:
        path = self.region.folder / name
        path.mkdir(mode=0o755)
        return path

    def move_database(self, address: str) -> None:
        """The database's name leads to this address from now on, on every instance."""
        make_hosts(self.hosts, {DATABASE_NAME: address})

    def new_balancer(self, name: str, address: str) -> Balancer:
        """A load balancer with the package's own options at an address of the region's."""
        options = {(one.namespace, one.name): one.text for one in self.case.settings} | self.case.presets
        thresholds = Thresholds.of(options, self.pace.scale)
        balancer = Balancer(self._folder(name), address, 80, thresholds, on_event=self._told_by_balancer)
        balancer.start()
        return balancer

    def _told_by_balancer(self, text: str) -> None:
        self.journal.moment("balancer", text)

    def new_fleet(self, name: str, balancer: Balancer) -> Fleet:
        return Fleet(name, balancer, self._launch, self._deploy, self.pace, balancer.thresholds.path, self.journal)

    def _launch(self, name: str) -> Instance:
        node = self.region.node(name)
        folder = self.region.folder / "instances" / name
        instance = Instance(name, node, folder, self.hosts, self.venvs, self.region.folder.parent.name)
        instance.start()
        self.engines[name] = Engine(instance, self.properties(), self.pace.deploy_seconds, self.not_imitated)
        return instance

    def _deploy(self, instance: Instance, version: Version, is_leader: bool) -> None:
        try:
            self.engines[instance.name].deploy(version.archive, is_leader=is_leader)
        except DeploymentFailed as error:
            raise DeploymentStopped(str(error)) from error

    def properties(self) -> dict[str, str]:
        """The environment's: the bundle's own, with what AWS would compute, and what was asked for over them."""
        own = {name: value for name, value in self.case.properties.items() if not value.startswith("`")}
        computed = {
            **self.keys.environ,
            **self.files.environ,
            "FASTIER_S3_BUCKET": BUCKET,
            "FASTIER_PUBLIC_URL": f"http://{GATEWAY}",
            "FASTIER_SECRET_KEY": "of a rehearsal, and of nothing else, as anybody may read",
            "FASTIER_RATE_LIMIT": "10000000",
            "FASTIER_DB_CA_URL": self.truststore.url,
        }
        hosts = self.database.environ(DATABASE_NAME)
        if not self.paths:
            # Fastier reads its password from the secret, and again when that has changed.
            del hosts["RDS_PASSWORD"]
            hosts |= {"FASTIER_DB_SECRET_ARN": self.secret, **self.secrets.environ}
        return {**own, **computed, **hosts, **self.overrides}

    def play(self, script: Script) -> Act:
        """One act under load, from two seconds before it to two after, or until enough has been sent."""
        began = time.monotonic()
        self.journal = Journal(lambda: time.monotonic() - began, self.told)
        self.fleet.journal = self.journal
        self.facts = {}
        for member in self.fleet.members:
            self.journal.state(member.name, member.version.name, "in service")
        failure = ""
        requests = self.requests if script.is_long else 0
        with Load(self._plan(script), self._folder(_act_folder(script.name))) as load:
            self.load = load
            load.start(began)
            time.sleep(LEAD_SECONDS)
            try:
                script.run(self)
            except DeploymentStopped as error:
                failure = str(error)
                self.journal.moment("deploy", failure)
            time.sleep(max(LEAD_SECONDS, requests / self.rate + 0.5 - load.now()))
            exchanges, ledger = load.stop()
        seconds = time.monotonic() - began
        self.journal.close()
        causes = self.causes | self.balancer.causes()
        known = [_with_cause(one, causes.get(one.request_id)) for one in exchanges]
        act = Act(script.name, script.title, script.kind, seconds, known, self.journal.moments, self.journal.spans)
        try:
            written = ledger.check(self.database.url()) if self.people else None
        except LedgerError as error:
            act.error = str(error)
            return act
        act.checks = [*script.checks(self, Scene(known, written, self.facts, failure)), *_kept(written)]
        return act

    def keep_logs(self, act: Act, target: Path) -> None:
        """What was written in this act and before it, by all parts that had to do with it."""
        names = {span.instance for span in act.spans} or set(self.engines)
        logs.keep(self.region.folder, _act_folder(act.name), sorted(names), target)

    def _plan(self, script: Script) -> Plan:
        return Plan(
            self.balancer.address,
            80,
            self.rate,
            name=script.name.replace(" ", "-"),
            people=self.people,
            paths=self.paths,
            deadline=script.deadline,
            # A name of its own, as the address changes when environments are swapped.
            host="fastier.test",
            ttl=self.pace.name_seconds,
            connection_seconds=self.pace.connection_seconds,
        )


def _act_folder(name: str) -> str:
    return f"act-{name.replace(' ', '-')}"


def _with_cause(one: Exchange, hop: Hop | None) -> Exchange:
    if one.outcome == "good" or hop is None:
        return one
    return replace(one, cause=f"{hop.cause}; {one.cause}" if one.cause else hop.cause)


def _kept(written: LedgerResult | None) -> list[Check]:
    if written is None:
        return []
    found = f"{len(written.lost)} lost, {len(written.doubled)} doubled"
    wanted = f"all {written.acknowledged:,} acknowledged writes are there once"
    return [Check("acknowledged writes", wanted, found, written.passed)]
