"""A failed test says in which turn of its loops: what their variables were, in each frame of our own."""
import ast
import reprlib
import traceback
from functools import lru_cache
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parents[1]
brief = reprlib.Repr()
brief.maxstring = brief.maxother = 300
brief.maxdict = brief.maxlist = brief.maxtuple = 20


@lru_cache
def loops_of(file):
    """(first line, last line, names of the variables) of each `for` statement."""
    return [
        (loop.lineno, loop.end_lineno, [name.id for name in ast.walk(loop.target) if isinstance(name, ast.Name)])
        for loop in ast.walk(ast.parse(Path(file).read_text()))
        if isinstance(loop, ast.For)
    ]


def turns(trace):
    for frame, line in traceback.walk_tb(trace):
        if TESTS in Path(frame.f_code.co_filename).parents:
            for first, last, names in loops_of(frame.f_code.co_filename):
                values = [f'{name} = {brief.repr(frame.f_locals[name])}' for name in names if name in frame.f_locals]
                if first < line <= last and values:
                    yield f"line {first}: {', '.join(values)}"


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    report = (yield).get_result()
    if report.failed and call.excinfo:
        found = list(turns(call.excinfo.tb))
        if found:
            report.sections.append(('turn of the loop', '\n'.join(found)))
