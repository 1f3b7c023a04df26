"""Writes what `python -m bench.web` measured as tables, for the README and for people."""

from typing import Any

_MULTIPLES = ("2x", "5x", "10x")


def tables(found: dict[str, Any]) -> str:
    """Markdown of all the parts that were measured."""
    about = found["about"]
    parts = [
        f"Measured on {about['date']} by `{about['command']}` at {about['commit']}: {about['cores']} cores of "
        f"{about['machine']}, Python {about['python']}, gunicorn {about['gunicorn']}, PostgreSQL {about['postgresql']}."
        " The application is the same in all rows, and so is the work: four pages of 50 items with tags to one new "
        "item with tags, in a workspace of 10,000."
    ]
    if "memory" in found:
        parts.append(_memory(found["memory"]))
    if "overload" in found:
        parts.append(_overload(found["overload"]))
    if "soak" in found:
        parts.append(_soak(found["soak"], found["commits"]["soak"]))
    return "\n\n".join(parts)


def _memory(memory: dict[str, Any]) -> str:
    rows = [
        "| memory of gunicorn's processes (PSS) | idle | under load | in a storm of 120 sign-ins |",
        "|---|---:|---:|---:|",
    ]
    for name, each in memory.items():
        storm = f"{each['sign_ins_mib']:.0f} MiB" if "sign_ins_mib" in each else ""
        workers = f", {each['workers']} workers" if "workers" in each else ""
        rows.append(f"| {name}{workers} | {each['idle_mib']:.0f} MiB | {each['under_load_mib']:.0f} MiB | {storm} |")
    return "\n".join([*rows, "", f"nginx before it holds {memory['Fastier']['nginx_mib']:.0f} MiB."])


def _overload(overload: dict[str, Any]) -> str:
    cost = overload["Fastier"]["cost"]
    rows = [
        "Requests arrive at a constant rate, whether or not they are answered; an answer after 1 s counts as none. "
        "nginx, gunicorn and PostgreSQL share one core, the generator has the other. "
        f"A request of Fastier takes {cost['gunicorn_ms']} ms of processor time in gunicorn (two workers) and "
        f"{cost['nginx_ms']} ms in nginx. Medians.",
        "",
        "| good answers a second | peak | offered 2 × | 5 × | 10 × | refusals at 10 ×, p99 | accepted at 10 ×, p99 "
        "| well again after |",
        "|---|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for name, each in overload.items():
        shares = " | ".join(
            f"{each[multiple]['goodput']:.0f} ({each[multiple]['of_peak']:.0%})" for multiple in _MULTIPLES
        )
        most = each["10x"]
        refusals = f"{most['refused_p99_ms']:.0f} ms" if most["refused"] else "none refused"
        accepted = f"{most['p99_ms']:.0f} ms" if most["goodput"] else ""
        rows.append(
            f"| {name} | {each['peak']['goodput']:.0f} | {shares} | {refusals} | {accepted} "
            f"| {each['recovery']['seconds']:.1f} s |"
        )
    if killed := overload["Fastier"].get("killed_worker"):
        lost = sum(killed["failed"].values()) + killed["too_late"] + killed["refused"]
        rows += [
            "",
            f"One of two workers killed (`kill -9`) at half the peak: {lost} of {killed['offered']:,} requests were "
            "not answered well.",
        ]
    return "\n".join(rows)


def _soak(soak: dict[str, Any], commit: str) -> str:
    first, last = soak["open_files_first_and_last"]
    return (
        f"A soak (at {commit}) of {soak['requests']:,} requests in {soak['minutes']:.0f} minutes: "
        f"{soak['failed']} failed; memory {soak['mib_after_warm_up']:.1f} MiB after warming up and "
        f"{soak['mib_at_the_end']:.1f} MiB at the end, a slope of {soak['mib_per_100000']:+.2f} MiB per 100,000 "
        f"requests; open files {first} and {last}."
    )
