"""Sums the JUnit files and notes of one ./dev test into the line "N passed, N failed[, N skipped]".

A test that could not be started is a failure, not a skip; so is a build that broke, a run that left
no result file, and a ctest that failed without naming a test. Exit 1 when anything failed or nothing ran.
"""
import pathlib
import sys
import xml.etree.ElementTree as ET


def kind(case):
    status = case.get("status")
    if status == "run":
        return "passed"
    if status == "disabled":
        return "skipped"
    if status == "notrun":
        skip = case.find("skipped")
        message = skip.get("message", "") if skip is not None else ""
        return "skipped" if message.startswith(("SKIP_RETURN_CODE", "SKIP_REGULAR_EXPRESSION")) else "failed"
    return "failed"


def count(folder):
    sums = {"passed": 0, "failed": 0, "skipped": 0}
    for file in sorted(folder.glob("*.xml")):
        before = sums["failed"]
        for case in ET.parse(file).getroot().iter("testcase"):
            what = kind(case)
            sums[what] += 1
            if what != "passed":
                print(f"{what}: {case.get('name')} ({file.stem})")
        if file.with_suffix(".failed").exists() and sums["failed"] == before:
            print(f"failed: {file.stem}: ctest failed and names no test")
            sums["failed"] += 1
    for note in sorted(folder.glob("*.broken")):
        print(f"failed: {note.read_text().strip()}")
        sums["failed"] += 1
    for note in sorted(folder.glob("*.failed")):
        if not note.with_suffix(".xml").exists():
            print(f"failed: {note.read_text().strip()} left no result")
            sums["failed"] += 1
    return sums


def main():
    sums = count(pathlib.Path(sys.argv[1]))
    line = f"{sums['passed']} passed, {sums['failed']} failed"
    if sums["skipped"]:
        line += f", {sums['skipped']} skipped"
    print(line, flush=True)
    sys.exit(0 if sums["passed"] and not sums["failed"] else 1)


main()
