"""The bar of jobs in other processes: it moves within a job."""

from __future__ import annotations

from scripts.runs import progress
from scripts.runs.job_progress import JobProgress, note_share, noting, with_notes
from scripts.runs.parallel import Backend, Workers, in_parallel


def half(number: int, job: str, progress) -> int:
    """A job that stops at half."""
    with noting(progress):
        note_share(0.5)
    return number


def test_a_bar_reads_what_a_worker_notes() -> None:
    with JobProgress(2, "cells") as bar:
        ((number, job, path), (_, _, other)) = with_notes([(7, "a"), (8, "b")], bar)
        assert (number, job) == (7, "a") and path != other
        with noting(path):
            note_share(0.25)
            bar._look()
            assert bar._bar.tasks[0].completed == 0.25
        bar._look()
        assert bar._bar.tasks[0].completed == 1.0 and bar.finished == 0
        bar.done()
        assert bar.finished == 1 and len(bar.cpu_s()) == 2


def test_other_processes_note_their_cpu_time() -> None:
    with JobProgress(2, "cells") as bar:
        jobs = with_notes([(0, "a"), (1, "b")], bar)
        answers = sorted(in_parallel(half, list(jobs), Workers(2, Backend.loky, None)))
        assert answers == [0, 1]
        bar._look()
        assert bar._bar.tasks[0].completed == 2.0


def test_nothing_is_noted_where_nobody_asked() -> None:
    note_share(0.5)
    with noting(None):
        note_share(0.5)


def test_without_a_terminal_a_bar_is_silent(capsys) -> None:
    with JobProgress(1, "cells") as bar:
        bar.done()
    assert capsys.readouterr() == ("", "")


def test_without_a_terminal_a_line_says_now_and_then_how_far_it_is(capsys, monkeypatch) -> None:
    now_s = 100.0
    monkeypatch.setattr(progress.time, "monotonic", lambda: now_s)
    lines = progress.Lines()
    now_s += 59.0
    lines.show(0.1, "3 of 30 jobs")
    assert capsys.readouterr().err == ""
    now_s += 61.0
    lines.show(0.25, "8 of 30 jobs")
    assert capsys.readouterr().err == "8 of 30 jobs, 25% after 2 min, about 6 min left\n"
    lines.show(0.26, "8 of 30 jobs")
    assert capsys.readouterr().err == ""
