# SPDX-License-Identifier: GPL-2.0-only
"""The report as a page: one file, no scripts; details on a click."""
import collections
import html
import json
import os

import results as res

STYLE = """
body { font: 14px/1.4 sans-serif; margin: 2em; color: #222; }
table { border-collapse: collapse; margin: 0 0 2em; }
th, td { border: 1px solid #ccc; padding: 2px 8px; text-align: left;
         vertical-align: top; }
th { background: #f3f3f3; }
td.number { text-align: right; }
td details { max-width: 36em; }
summary { cursor: pointer; white-space: nowrap; }
pre { white-space: pre-wrap; overflow-wrap: anywhere; font-size: 12px; }
.OK { background: #dff3df; } .NON-STRICT { background: #fdf3c8; }
.INFORMATIONAL { background: #dfe9fb; } .UNIMPLEMENTED { background: #eee; }
.FAILED { background: #f9d0d0; } .end { color: #a00; }
"""

PAGE = """<!DOCTYPE html>
<html lang="en">
<meta charset="utf-8">
<title>WebSocket conformance</title>
<style>{style}</style>
<h1>WebSocket conformance</h1>
<p>Case numbers are those of the Autobahn test suite. A click on a verdict
shows what was expected and what came.</p>
{summary}
{groups}
</html>
"""


def text(value):
    """Anything, as text of a page."""
    if not isinstance(value, str):
        value = json.dumps(value, ensure_ascii=False)
    return html.escape(value)


def events(value):
    """Expected or got: a line an event."""
    if isinstance(value, dict):
        return "\n".join(f"{name}:\n{events(part)}"
                         for name, part in value.items())
    if isinstance(value, list):
        return "\n".join(f"  {json.dumps(item, ensure_ascii=False)}"
                         for item in value) or "  nothing"
    return str(value)


def heads(columns):
    """Two rows of heads; the first spans a peer's roles."""
    peers = collections.Counter(peer for peer, _ in columns)
    first = "".join(f'<th colspan="{n}">{text(peer)}</th>'
                    for peer, n in peers.items())
    second = "".join(f"<th>{text(role)}</th>" for _, role in columns)
    return first, second


def cell(result):
    """One case of one column."""
    if not result:
        return "<td></td>"
    verdict, end = result["verdict"], result["close"]
    remark = ""
    if end not in res.GOOD_CLOSES:
        remark = f' <span class="end">{text(end)}</span>'
    return (f'<td class="{text(verdict)}"><details>'
            f"<summary>{text(verdict)}{remark}</summary>"
            f"<p>{text(result.get('detail', ''))}; close {text(end)}; "
            f"{text(result.get('seconds', '?'))} s</p>"
            f"<pre>expected\n{text(events(result.get('expected')))}\n"
            f"got\n{text(events(result.get('got')))}</pre></details></td>")


def group_table(name, found, columns):
    """All cases of a group."""
    cells = {(r["case"], r["peer"], r["role"]): r for r in found
             if res.group(r["case"]) == name}
    cases = sorted({case for case, _, _ in cells}, key=res.by_number)
    first, second = heads(columns)
    rows = "\n".join(
        f'<tr id="case-{text(case)}"><th>{text(case)}</th>' +
        "".join(cell(cells.get((case, *column))) for column in columns) +
        "</tr>" for case in cases)
    return (f'<h2 id="group-{text(name)}">Group {text(name)}</h2>\n<table>'
            f'<tr><th rowspan="2">case</th>{first}</tr><tr>{second}</tr>\n'
            f"{rows}\n</table>")


def summary(found, columns):
    """Group x verdict."""
    counts = res.count(found)
    first, second = heads(columns)
    lines = []
    for name in res.groups(found):
        for verdict in res.VERDICTS:
            row = [counts[(name, *column)][verdict] for column in columns]
            if any(row):
                lines.append(
                    f'<tr><th><a href="#group-{name}">{name}</a></th>'
                    f'<td class="{verdict}">{verdict}</td>' +
                    "".join(f'<td class="number">{n or ""}</td>'
                            for n in row) + "</tr>")
    return (f'<table><tr><th rowspan="2">group</th><th rowspan="2">verdict'
            f"</th>{first}</tr><tr>{second}</tr>\n" + "\n".join(lines) +
            "\n</table>")


def write(folder, found):
    """index.html in the folder."""
    os.makedirs(folder, exist_ok=True)
    columns = res.columns(found)
    parts = "\n".join(group_table(name, found, columns)
                      for name in res.groups(found))
    with open(os.path.join(folder, "index.html"), "w",
              encoding="utf-8") as file:
        file.write(PAGE.format(style=STYLE, groups=parts,
                               summary=summary(found, columns)))
