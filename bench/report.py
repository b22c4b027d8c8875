"""Medians, ratios of the same round, and the page."""
import collections
import os
import platform
import re
import shlex
import statistics

from programs import COMMANDS, SERVER, family

SUBJECT = "stillpoint, TLS"
MEASURED, SFTP = "# Measured", "# Measured over SFTP"


class Results:
    def __init__(self, names):
        self.names = names
        self.figures = collections.defaultdict(list)  # (corpus, row, program) -> one a round

    def add(self, corpus, row, name, figure):
        self.figures[corpus, row, name].append(figure)

    def median(self, corpus, row, name, what):
        figures = self.figures.get((corpus, row, name))
        return statistics.median(getattr(f, what) for f in figures) if figures else None

    def ratio(self, corpus, row, subject, peer, what):
        """The median over the rounds of subject / peer within one round."""
        pairs = zip(self.figures.get((corpus, row, subject), []), self.figures.get((corpus, row, peer), []))
        ratios = [getattr(a, what) / getattr(b, what) for a, b in pairs if getattr(b, what)]
        return statistics.median(ratios) if ratios else None


def machine():
    model = "unknown processor"
    with open("/proc/cpuinfo") as file:
        for line in file:
            if line.startswith("model name"):
                model = line.split(":", 1)[1].strip()
                break
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"{os.cpu_count()} cores ({model}), {memory:.0f} GiB, Linux {platform.release()}"


def table(head, rows):
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    lines += ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join(lines)


def cell(text, *values):
    return "–" if any(v is None for v in values) else text.format(*values)


def figures_table(results, corpus, rows):
    names = [n for n in results.names if any((corpus, row, n) in results.figures for row, _ in rows)]
    out = []
    for row, _ in rows:
        out.append([row] + [cell("{:.2f} / {:.2f}", results.median(corpus, row, n, "wall"),
            results.median(corpus, row, n, "cpu")) for n in names])
    for what, label in (("client_mb", "peak MB"), ("server_mb", "peak MB, server")):
        peaks = [[results.median(corpus, row, n, what) or 0 for row, _ in rows] for n in names]
        if any(max(p) for p in peaks):
            out.append([label] + [f"{max(p):.0f}" if max(p) else "–" for p in peaks])
    for row, command in rows:
        if command == "backup":
            out.append([f"stored MB, {row}"] + [cell("{:.1f}", *[v / 1e6 if v else None for v in
                [results.median(corpus, row, n, "stored")]]) for n in names])
    return table(["wall s / CPU s", *names], out)


def ratios_table(results, corpus, rows):
    subjects = [n for n in results.names if family(n) == "stillpoint"]
    peers = [n for n in results.names if family(n) != "stillpoint"
        and any((corpus, row, n) in results.figures for row, _ in rows)]
    out = []
    for subject in subjects:
        for row, command in rows:
            line = [f"{subject}: {row}"]
            for peer in peers:
                text = cell("{:.2f} / {:.2f}", results.ratio(corpus, row, subject, peer, "wall"),
                    results.ratio(corpus, row, subject, peer, "cpu"))
                if command == "backup" and text != "–":
                    text += cell(" / {:.2f}", results.ratio(corpus, row, subject, peer, "stored"))
                line.append(text)
            out.append(line)
    return table(["wall / CPU / stored", *peers], out) if out and peers else None


def sftp_page(results, programs, described, rounds, rows, goals):
    parts = [SFTP, "", f"Written by `bench/run_sftp`: {machine()}. {rounds} round(s), the programs in turn; medians. sshd "
        "of OpenSSH on the same machine and disk, warm; CPU is that of client and sshd. The line is a proxy "
        "(tests/sftp/slowlink): one queue each way, shared by all connections; it shows no slow start and no losses.", "",
        table(["program", "version"], [[n, p["version"]] for n, p in programs.items()]), "",
        "Stillpoint's wall clock in the same round:", "", goals, ""]
    for corpus, what in described.items():
        parts += [f"## SFTP, {corpus}: {what}", "", figures_table(results, corpus, rows[corpus]), ""]
        ratios = ratios_table(results, corpus, rows[corpus])
        if ratios:
            parts += ["Ratios, each within one round (below 1: less than the peer):", "", ratios, ""]
    parts += ["```"]
    for name in programs:
        parts += [f"{family(name)} {line}" for line in COMMANDS[name].values()]
    return "\n".join(parts + ["```", ""])


def write_part(file, head, text):
    """The page's part that begins with this line is replaced; what the other script wrote stays."""
    old = file.read_text() if file.exists() else ""
    parts = re.split(r"^(?=# )", old, flags=re.M)
    kept = [p for p in parts if p.strip() and not p.startswith(head + "\n")]
    kept = kept + [text] if head == SFTP else [text] + kept
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("\n".join(p.rstrip("\n") + "\n" for p in kept))


def page(results, programs, described, rounds, rows):
    parts = [MEASURED, "", f"Written by `bench/run`: {machine()}. {rounds} round(s), the programs in turn; "
        "medians. CPU is user and system time of client and server added up; memory is the peak "
        "resident size. Everything lies on one local disk, warm.", ""]
    parts += [table(["program", "version"],
        [[n, p["version"] or "of this machine"] for n, p in programs.items()]), ""]
    for corpus, what in described.items():
        parts += [f"## {corpus}: {what}", "", figures_table(results, corpus, rows[corpus]), ""]
        ratios = ratios_table(results, corpus, rows[corpus])
        if ratios:
            parts += ["Ratios, each within one round (below 1: less than the peer):", "", ratios, ""]
    parts += ["## The commands", "", "```"]
    for name in programs:
        parts += [f"{name}: {shlex.join(['cp' if name == 'cp -a' else family(name)])} {line}"
            for line in COMMANDS[name].values()]
    if SUBJECT in programs:
        parts += [f"server: stillpointd {line}" for line in SERVER.values()]
    parts += ["```", ""]
    return "\n".join(parts)
