"""What the package itself asks of a deployment, and how much faster than on AWS its waits pass here."""

from dataclasses import dataclass

from ebtools.preflight.case import Case

COMMAND = "aws:elasticbeanstalk:command"
SPLITTING = "aws:elasticbeanstalk:trafficsplitting"
GROUP = "aws:autoscaling:asg"
# Enhanced health asks for twelve checks in a row that are well, ten seconds apart, within two minutes of beginning.
CHECKS, CHECK_SECONDS, CHECKS_WITHIN = 12, 10.0, 240.0
# How long clients use one connection before they open the next.
CONNECTION_SECONDS = 60.0
# How long resolvers keep the address of an environment after its name has been swapped.
NAME_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Pace:
    """Waits in seconds of the rehearsal: those of the package or platform times `scale`."""

    scale: float
    instances: int
    batch: int
    split_percent: int
    split_seconds: float
    deploy_seconds: float

    @property
    def check_seconds(self) -> float:
        return CHECK_SECONDS * self.scale

    @property
    def checks_within(self) -> float:
        return CHECKS_WITHIN * self.scale

    @property
    def name_seconds(self) -> float:
        return NAME_SECONDS * self.scale

    @property
    def connection_seconds(self) -> float:
        return CONNECTION_SECONDS * self.scale

    @staticmethod
    def of(case: Case, *, scale: float, instances: int | None = None) -> "Pace":
        """What this bundle says in its configuration; instances: how many run, the group's least unless given."""
        count = instances or max(case.number(GROUP, "MinSize", 1), 2)
        size = case.number(COMMAND, "BatchSize", 100)
        fixed = case.value(COMMAND, "BatchSizeType", "Percentage").lower() == "fixed"
        batch = size if fixed else -(-count * size // 100)
        return Pace(
            scale=scale,
            instances=count,
            # The platform keeps one instance in service, however large the batch is said to be.
            batch=max(1, min(batch, count - 1)),
            split_percent=case.number(SPLITTING, "NewVersionPercent", 10),
            split_seconds=case.number(SPLITTING, "EvaluationTime", 5) * 60 * scale,
            # What fails here would hold up a deployment on AWS for as long: patience is not scaled.
            deploy_seconds=float(case.number(COMMAND, "Timeout", 600)),
        )
