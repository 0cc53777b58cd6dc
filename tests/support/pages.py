"""The examples in a page of docs/: a `sh` block with one curl command, or an `act` of
docs/pool-callers.md, then a `json` block with
the answer that it gets.

A comment in the `sh` block says what is to be kept of the answer (`# saves: TOKEN=data.token`,
`# saves: ID=data[0].id`), or that the HTTP status is not 200 (`# expect: 409`). The examples of a
page run from top to bottom in one environment.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

CODE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
TABLE = re.compile(r"^\| field \| \| \|\n\| --- \| --- \| --- \|\n((?:\|.*\n)+)", re.MULTILINE)
ROW = re.compile(r"^\| `([^`]+)` \| (.+?) \| .+ \|$", re.MULTILINE)
AS_THOSE = re.compile(r"The fields are those of `([^`]+)`")
BLOCK = re.compile(r"^(#+ [^\n]+)$|^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
COMMAND = re.compile(r"^(?:curl|act) ", re.MULTILINE)
SAVES = re.compile(r"# saves: (\w+)=([\w.\[\]]+)")
EXPECT = re.compile(r"# expect: (\d{3})")
STEP = re.compile(r"\.?(\w+)|\[(\d+)\]")
TIME = re.compile(r"\d{4}-\d\d-\d\d( \d\d:\d\d:\d\d)?")

# What two houses will hardly have in common: long texts without a space (tokens, hashes), times,
# times as numbers, what an example saves, and the fields of these names; of speeds it depends on
# whether the minute of the shares is over.
LONG_TEXT = 20
LONG_NUMBER = 10 ** 9
VARYING = frozenset({"address", "clientId", "durable_seq", "id", "order_id", "reference", "seq",
                     "totalSpeed", "uptime", "validSpeed", "version"})


@dataclass
class Example:
    section: str                # its heading
    command: str
    status: int
    answer: object              # as it is documented
    saves: dict[str, str] = field(default_factory=dict)     # variables, and where they come from


def examples(page: Path) -> list[Example]:
    """Those of a page. ValueError for what is neither prose nor a whole example."""
    found: list[Example] = []
    section, answered = "", True
    for heading, language, content in BLOCK.findall(page.read_text(encoding="utf-8")):
        if heading:
            section = heading.lstrip("# ")
        elif language == "sh":
            lines = content.splitlines()
            comments = [line for line in lines if line.startswith("#")]
            command = "\n".join(line for line in lines if not line.startswith("#"))
            if not answered or len(COMMAND.findall(command)) != 1 or not COMMAND.match(command):
                raise ValueError(f"{page.name}, {section}: not one command and its answer")
            answered = False
            status = re.search(EXPECT, content)
            example = Example(section, command, int(status[1]) if status else 200, None)
            for line in comments:
                if saves := SAVES.fullmatch(line):
                    example.saves[saves[1]] = saves[2]
                elif not EXPECT.fullmatch(line):
                    raise ValueError(f"{page.name}, {section}: {line}")
            found.append(example)
        elif language == "json" and not answered:
            found[-1].answer = parsed(content)
            answered = True
    if not answered:
        raise ValueError(f"{page.name}: the last example has no answer")
    return found


def fields(page: Path) -> dict[str, dict[str, bool]]:
    """The fields in the tables of a page, by heading: whether each is required. A section without
    a table has none, or says whose they are."""
    found: dict[str, dict[str, bool]] = {}
    prose = CODE.sub("", page.read_text(encoding="utf-8"))
    for section in re.split("^#+ ", prose, flags=re.MULTILINE)[1:]:
        heading = section.partition("\n")[0]
        if table := TABLE.search(section):
            found[heading] = {name: needed == "required" for name, needed in ROW.findall(table[1])}
        elif those := AS_THOSE.search(section):
            found[heading] = found[those[1]]
        else:
            found[heading] = {}
    return found


def parsed(text: str | bytes) -> object:
    """JSON with exact numbers."""
    return json.loads(text, parse_float=Decimal)


def at(answer: object, path: str) -> object:
    """What stands at `data.token` or `data[0].id`."""
    for name, number in STEP.findall(path):
        answer = answer[name] if name else answer[int(number)]
    return answer


def differences(example: Example, answer: object) -> list[str]:
    """Where the answer is another one than the documented."""
    return list(_differences(example.answer, answer, "", frozenset(example.saves.values())))


def _differences(documented: object, given: object, place: str,
                 varying: frozenset[str]) -> Iterator[str]:
    if type(documented) is not type(given):
        yield f"{place}: documented {documented!r}, given {given!r}"
    elif isinstance(documented, dict):
        if documented.keys() != given.keys():
            yield f"{place}: documented {[*documented]}, given {[*given]}"
            return
        for name, value in documented.items():
            inner = f"{place}.{name}" if place else name
            yield from _differences(value, given[name], inner, varying)
    elif isinstance(documented, list):
        if len(documented) != len(given):
            yield f"{place}: documented {len(documented)} entries, given {len(given)}"
            return
        for number, pair in enumerate(zip(documented, given)):
            yield from _differences(*pair, f"{place}[{number}]", varying)
    elif documented != given and place not in varying and not _varies(documented, given, place):
        yield f"{place}: documented {documented!r}, given {given!r}"


def _varies(documented: object, given: object, place: str) -> bool:
    """Whether a value of this kind is another one in every house."""
    if place.rpartition(".")[2] in VARYING:
        return True
    if str(documented).isdigit() and str(given).isdigit():
        return int(documented) >= LONG_NUMBER and int(given) >= LONG_NUMBER
    if not isinstance(documented, str):
        return False
    if TIME.fullmatch(documented):
        return bool(TIME.fullmatch(given))
    return all(len(text) > LONG_TEXT and " " not in text for text in (documented, given))
