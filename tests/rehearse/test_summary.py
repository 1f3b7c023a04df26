"""The sums by the second."""

from ebtools.rehearse.record import Exchange
from ebtools.rehearse.summary import Second, by_second, quantile


def exchange(due: float, took: float, outcome: str = "good") -> Exchange:
    return Exchange(due, took, "GET", "/", 200, outcome, "id")


def test_every_second_is_summed_up_and_an_empty_one_has_no_quantiles() -> None:
    seconds = by_second(
        [exchange(2.9, 0.3), exchange(0.1, 0.2), exchange(0.9, 9, "failed"), exchange(0.5, 8, "refused")]
    )
    assert seconds == [
        Second(0, 3, 1, 1, 1, 0.2, 0.2),
        Second(1, 0, 0, 0, 0, None, None),
        Second(2, 1, 1, 0, 0, 0.3, 0.3),
    ]
    assert by_second([]) == []


def test_a_quantile_is_a_value_that_was_measured() -> None:
    values = [float(number) for number in range(100, 0, -1)]
    assert [quantile(values, part) for part in (0, 0.5, 0.99, 1)] == [1, 50, 99, 100]
    assert quantile([7.0], 0.99) == 7
    assert quantile([], 0.5) is None
