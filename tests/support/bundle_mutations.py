"""Ways to change a bundle, by accident or by whoever can make its manifest anew."""

import hashlib
import io
import json
import zipfile
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from services.audit.bundle import BUNDLE
from shared.ledger.notes import Checkpoint, Note
from tests.support.exports import AT, WITNESS, keys_of, signed

Files = dict[str, bytes]


class Draw(Protocol):
    """Chooses: one of several, or a number from 0 to before another."""

    def one(self, among: Sequence[Any]) -> Any:
        """Return one of them."""

    def below(self, end: int) -> int:
        """Return a number from 0 on."""


Mutation = Callable[[Files, Files, Draw], None]
"""Changes files; the second are those of another bundle."""


def unpacked(content: bytes) -> Files:
    """Return the files of a zip."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return {one.filename: archive.read(one) for one in archive.infolist()}


def packed(files: Files) -> bytes:
    """Return a zip of files."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        for path, content in files.items():
            archive.writestr(zipfile.ZipInfo(path), content)
    return made.getvalue()


def refitted(files: Files) -> None:
    """Make the manifest anew, so that it fits what lies there."""
    said = json.loads(files[BUNDLE])
    said["files"] = [
        {"path": path, "sha256": hashlib.sha256(files[path]).hexdigest()}
        for path in sorted(files)
        if path != BUNDLE
    ]
    _put(files, said)


def _put(files: Files, said: dict[str, Any]) -> None:
    files[BUNDLE] = json.dumps(said, sort_keys=True, separators=(",", ":")).encode()


# -- files ----------------------------------------------------------------------------------------


def flip(files: Files, _: Files, draw: Draw) -> None:
    """Change a bit of a file."""
    evidence = [path for path in files if path.endswith((".ndjson", "checkpoint", ".json"))]
    path = draw.one(sorted(evidence) if draw.below(2) else sorted(files))
    content = bytearray(files[path])
    content[draw.below(len(content))] ^= 1 << draw.below(8)
    files[path] = bytes(content)


def add(files: Files, _: Files, draw: Draw) -> None:
    """Add a file, of a name that might be one."""
    names = ("consent/more.ndjson", "texts/more.1.vi.txt", "../x", "accounts/tile", "x")
    files[draw.one(names)] = b"{}\n"


def remove(files: Files, _: Files, draw: Draw) -> None:
    """Leave a file out."""
    del files[draw.one(sorted(path for path in files if path != BUNDLE))]


def rename(files: Files, _: Files, draw: Draw) -> None:
    """Give a file another's name, or a new one."""
    path, other = (draw.one(sorted(files)) for _ in range(2))
    files[draw.one([other, f"{path}x", path.upper()])] = files.pop(path)


def replace_file(files: Files, other: Files, draw: Draw) -> None:
    """Put in a file of another bundle."""
    path = draw.one(sorted(files))
    files[path] = other.get(path, b"")


# -- lines ----------------------------------------------------------------------------------------


def _lines(files: Files, path: str) -> list[bytes]:
    return files[path].splitlines(keepends=True)


def drop(files: Files, _: Files, draw: Draw) -> None:
    """Leave out a fact with its proof, or a proof of the index."""
    log, at = draw.one(["consent", "accounts"]), draw.below(1 << 16)
    for name in draw.one([["facts", "proofs"], ["facts"], ["proofs"], ["index"]]):
        lines = _lines(files, f"{log}/{name}.ndjson")
        del lines[at % len(lines)]
        files[f"{log}/{name}.ndjson"] = b"".join(lines)


def double(files: Files, other: Files, draw: Draw) -> None:
    """Have a line twice, or one of another bundle too, each with its proof."""
    log, at = draw.one(["consent", "accounts"]), draw.below(1 << 16)
    source = draw.one([files, other])
    for name in draw.one([["facts", "proofs"], ["index"]]):
        path = f"{log}/{name}.ndjson"
        lines, more = _lines(files, path), _lines(source, path)
        places = sorted((_place(line), line) for line in [*lines, more[at % len(more)]])
        files[path] = b"".join(line for _, line in places)


def _place(line: bytes) -> tuple[int, str]:
    said = json.loads(line)
    return (said.get("position") or said["segment"], said.get("key", ""))


def swap(files: Files, _: Files, draw: Draw) -> None:
    """Exchange two lines of a file."""
    path = draw.one([path for path in sorted(files) if path.endswith(".ndjson")])
    lines = _lines(files, path)
    one, two = draw.below(len(lines)), draw.below(len(lines))
    lines[one], lines[two] = lines[two], lines[one]
    files[path] = b"".join(lines)


def _in_line(files: Files, path: str, draw: Draw, change: Callable[[Any], None]) -> None:
    lines = _lines(files, path)
    at = draw.below(len(lines))
    said = json.loads(lines[at])
    change(said)
    text = json.dumps(said, ensure_ascii=False, separators=(",", ":"))
    files[path] = b"".join([*lines[:at], text.encode() + b"\n", *lines[at + 1 :]])


def edit_fact(files: Files, _: Files, draw: Draw) -> None:
    """Have a fact say something else, in its data, tags, kind, time or place."""
    other: dict[str, Any] = {
        "data": {"x": "y"},
        "tags": ["consent:x"],
        "kind": "consent.given.1",
        "recorded_at": "2023-08-09T00:00:00Z",
        "position": 1,
        "parts": ["00" * 32],
    }
    name = draw.one(sorted(other))
    path = f"{draw.one(['consent', 'accounts'])}/facts.ndjson"
    _in_line(files, path, draw, lambda said: said.update({name: other[name]}))


def other_proof(files: Files, _: Files, draw: Draw) -> None:
    """Give a fact the proof of another, under its own position."""
    path = f"{draw.one(['consent', 'accounts'])}/proofs.ndjson"
    lines = _lines(files, path)
    proof = json.loads(draw.one(lines))["proof"]
    _in_line(files, path, draw, lambda said: said.update(proof=proof))


def leave_leaf(files: Files, _: Files, draw: Draw) -> None:
    """Leave out a leaf of the index, or have it twice, or its positions cut."""
    path, how = f"{draw.one(['consent', 'accounts'])}/index.ndjson", draw.below(5)

    def change(said: Any) -> None:
        leaves = said["leaves"]
        match how:
            case 0:
                del leaves[:1]
            case 1:
                leaves[:] = leaves[:1] * 2
            case 2:
                leaves.reverse()
            case 3:
                leaves[0]["index"] += 1
            case _:
                leaves[0]["leaf"] = leaves[0]["leaf"][:-16]

    _in_line(files, path, draw, change)


def edit_leaf(files: Files, _: Files, draw: Draw) -> None:
    """Change a digit of a leaf, of a path, or of a key."""
    path, how, at = (
        f"{draw.one(['consent', 'accounts'])}/index.ndjson",
        draw.below(3),
        draw.below(64),
    )

    def other(text: str) -> str:
        place = at % len(text)
        return f"{text[:place]}{'0' if text[place] != '0' else '1'}{text[place + 1 :]}"

    def change(said: Any) -> None:
        leaf = said["leaves"][0]
        if how == 0:
            leaf["leaf"] = other(leaf["leaf"])
        elif how == 1 and leaf["path"]:
            leaf["path"][0] = other(leaf["path"][0])
        else:
            said["key"] = other(said["key"])

    _in_line(files, path, draw, change)


def other_leaves(files: Files, other: Files, draw: Draw) -> None:
    """Give a key the leaves of another."""
    log = draw.one(["consent", "accounts"])
    line = draw.one(_lines(draw.one([files, other]), f"{log}/index.ndjson"))
    leaves = json.loads(line)["leaves"]
    change = {"leaves": leaves}
    _in_line(files, f"{log}/index.ndjson", draw, lambda said: said.update(change))


# -- what is signed, and what is said -------------------------------------------------------------


def other_checkpoint(files: Files, _: Files, draw: Draw) -> None:
    """Put everything under another checkpoint: of other keys, another size, another root."""
    log, how = draw.one(["consent", "accounts"]), draw.below(5)
    old = files[f"{log}/checkpoint"]
    said = Checkpoint.parse(Note.parse(old).body)
    size, root, seed = said.size + (how == 0), said.root, 7 * (how == 1)
    new = signed(log, size, bytes(32) if how == 2 else root, seed)
    if how == 3:
        body = said.body()
        new = Note(body, tuple(key.sign(body, AT) for key in keys_of(log))).text().encode()
    if how == 4:
        new = Note(said.body(), (WITNESS.sign(said.body(), AT),)).text().encode()
    files[f"{log}/checkpoint"] = new
    proofs = [json.loads(line) for line in _lines(files, f"{log}/proofs.ndjson")]
    texts = [one["proof"].replace(old.decode(), new.decode()) for one in proofs]
    lines = [
        {"position": one["position"], "proof": text}
        for one, text in zip(proofs, texts, strict=True)
    ]
    rows = [json.dumps(one, ensure_ascii=False, separators=(",", ":")) for one in lines]
    files[f"{log}/proofs.ndjson"] = "".join(f"{row}\n" for row in rows).encode()
    manifest = json.loads(files[BUNDLE])
    manifest["logs"][log] |= {"size": size, "root": (bytes(32) if how == 2 else root).hex()}
    _put(files, manifest)


def other_manifest(files: Files, _: Files, draw: Draw) -> None:
    """Have the manifest say something else of what it is about, and of how far it goes."""
    said = json.loads(files[BUNDLE])
    log = draw.one(["consent", "accounts"])
    match draw.below(8):
        case 0:
            said["about"]["absent"] = not said["about"]["absent"]
        case 1:
            said["about"]["noun"] = draw.one(["account", "citizen", "clerk", "office", "incident"])
        case 2:
            said["about"]["ids"] = draw.one([["x"], [], ["a", "b"], said["about"]["ids"] * 2])
        case 3:
            said["logs"][log]["indexed"] += draw.one([-1, 1])
        case 4:
            said["logs"][log]["size"] += 1
        case 5:
            said["logs"][log]["origin"] = "localhost/other"
        case 6:
            said["format"] = "thuan-bundle.2"
        case _:
            del said["logs"][log]
    _put(files, said)


def exchange(files: Files, _: Files, draw: Draw) -> None:
    """Show each log in the other's place; and say that nobody agreed, or what was said before."""
    logs = ("consent", "accounts")
    for name in ("checkpoint", "facts.ndjson", "proofs.ndjson", "index.ndjson", "vkeys"):
        one, two = (f"{log}/{name}" for log in logs)
        files[one], files[two] = files[two], files[one]
    said = json.loads(files[BUNDLE])
    said["logs"] = dict(zip(logs, reversed([said["logs"][log] for log in logs]), strict=True))
    said["about"]["absent"] = draw.below(2) == 1
    _put(files, said)


MUTATIONS: dict[str, Mutation] = {
    one.__name__: one
    for one in (
        *(flip, add, remove, rename, replace_file, drop, double, swap, edit_fact, other_proof),
        *(leave_leaf, edit_leaf, other_leaves, other_checkpoint, other_manifest, exchange),
    )
}
"""Every way, by its name."""
