"""The journal of an act: what happened when, and which instance was in which state from when to when."""

from ebtools.rehearse.journal import Journal
from ebtools.rehearse.record import Moment, Span


def test_a_state_lasts_until_the_next_or_the_end() -> None:
    now = [0.0]
    told: list[Moment] = []
    journal = Journal(lambda: now[0], told.append)
    journal.state("i1", "v1", "in service")
    now[0] = 2.0
    journal.moment("deploy", "v2 is deployed")
    journal.state("i1", "v2", "starting")
    now[0] = 5.0
    journal.state("i2", "v2", "starting")
    journal.state("i1", "v2", "stopped")
    now[0] = 6.0
    journal.close()
    journal.close()
    assert journal.spans == [
        Span("i1", "v1", "in service", 0.0, 2.0),
        Span("i1", "v2", "starting", 2.0, 5.0),
        Span("i2", "v2", "starting", 5.0, 6.0),
    ]
    assert told == journal.moments == [Moment(2.0, "deploy", "v2 is deployed")]
