"""Checks an evidence bundle: a second program, which knows docs/ledger-format.md and nothing else.

    python tools/verify_bundle.py BUNDLE.zip --keys KEYS [--policy POLICY]

The standard library and `cryptography`; no part of the main program. It says whether all facts of
the matter are there and are the logs' own; what they come to says `judge_bundle.py` beside it.
"""

import base64
import hashlib
import json
import re
import struct
import sys
import zipfile
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PublicKey

FILES = ("checkpoint", "facts.ndjson", "index.ndjson", "proofs.ndjson", "vkeys")
SEEDS = {
    "account": ["accounts opening", "consent redemption"],
    "citizen": ["accounts citizen", "consent citizen"],
    "clerk": ["accounts clerk", "accounts commanded_by:clerk",
              "consent clerk", "consent asked_by:clerk"],
    "office": ["accounts office", "consent office", "consent asked_by:manager"],
    "incident": ["accounts consent", "consent consent"],
}
LEADS = {"consent": "incident", "opening": "account", "redemption": "account"}
NOUNS = ("bank", "office", "clerk", "site", "citizen")
Key = tuple[str, bytes]  # name and id
Fact = dict[str, Any]
FACT = re.compile(rb'{"position":([0-9]+),"recorded_at":"([^"]+)","kind":("[^"]+"),"tags":(\[.*?\])'
                  rb',"data":({.*}),"parts":(\[[^\[\]]*\])}')

def need(holds: object, how: str) -> None:
    """Raise unless something holds."""
    if not holds:
        raise ValueError(how)
def sha(*parts: bytes) -> bytes:
    """Return the SHA-256 of bytes in a row."""
    return hashlib.sha256(b"".join(parts)).digest()
def spelled(document: Any, *, by_name: bool = False) -> bytes:
    """Return JSON without spaces."""
    how: Any = {"ensure_ascii": False, "sort_keys": by_name}
    return json.dumps(document, separators=(",", ":"), **how).encode()
def plain(coded: str) -> bytes:
    """Return what base64 says in its one spelling."""
    need(base64.b64encode(base64.b64decode(coded)).decode() == coded, "base64 in another spelling")
    return base64.b64decode(coded)

def read_key(text: str) -> tuple[Key, bytes]:
    """Return name and id of a verifier key; and the kind of its signatures, and the key."""
    name, key_id, coded = text.strip().split("+", 2)
    need(sha(name.encode(), b"\n", plain(coded))[:4].hex() == key_id, "a key with another id")
    return (name, bytes.fromhex(key_id)), plain(coded)
def read_note(note: bytes, known: dict[Key, bytes]) -> tuple[list[Any], set[Key]]:
    """Return origin, size and root of a checkpoint, and which of the keys signed it."""
    body, _, rest = note.decode().rpartition("\n\n")
    (origin, size, root), (*lines, end), found = body.split("\n"), rest.split("\n"), set[Key]()
    need(end == "" and 0 < len(lines) <= 100 and re.fullmatch("0|[1-9][0-9]*", size), "no note")
    for dash, name, coded in (line.split(" ") for line in lines):
        own, signature = (name, plain(coded)[:4]), plain(coded)[4:]
        need(dash == "\N{EM DASH}" and signature, "no signature line")
        if own in known and own not in found:
            kind, at, message = known[own][0], signature[:8], f"{body}\n".encode()
            if kind == 4:
                message = f"cosignature/v1\ntime {int.from_bytes(at, 'big')}\n".encode() + message
            if kind == 6:
                mine, theirs = (bytes([len(one.encode())]) + one.encode() for one in (name, origin))
                message = b"subtree/v1\n\0" + mine + at + theirs + struct.pack(">QQ", 0, int(size))
                message += plain(root)
            scheme: Any = MLDSA44PublicKey if kind == 6 else Ed25519PublicKey
            public = scheme.from_public_bytes(known[own][1:])
            public.verify(signature if kind == 1 else signature[8:], message)
            found.add(own)
    return [origin, int(size), plain(root).hex()], found

class Trust:
    """Keys of logs and of witnesses; and who, or what group, each name of the policy stands for."""
    def __init__(self, keys: str, policy: str) -> None:
        self.logs = dict(map(read_key, filter(str.strip, keys.split("\n"))))
        self.witnesses, self.named = dict[Key, bytes](), dict[str, Any]()
        for kind, *words in (line.split() for line in policy.split("\n") if line.strip()):
            if kind == "log":
                self.logs.update([read_key(words[0])])
            elif kind == "witness":
                self.named[words[0]], material = read_key(words[1])
                self.witnesses[self.named[words[0]]] = material
            elif kind == "group":
                least = {"all": len(words) - 2, "any": 1}.get(words[1]) or int(words[1])
                self.named[words[0]] = [least, *words[2:]]
            elif kind == "quorum":
                self.named["quorum"] = [0] if words[0] == "none" else [1, words[0]]
    def enough(self, by: set[Key], name: str = "quorum") -> bool:
        """Tell whether those who signed are whom a name stands for."""
        one = self.named[name]
        found = sum(self.enough(by, member) for member in one[1:] if isinstance(one, list))
        return one in by if isinstance(one, tuple) else bool(found >= one[0])

def root_of(at: int, size: int, joined: bytes, path: list[bytes]) -> bytes:
    """Return the root that a leaf's hash and its path lead to (RFC 6962, 2.1.1)."""
    need((size > 1) == bool(path) and 0 <= at < size, "a path of another length")
    if size == 1:
        return joined
    half = 1 << (size - 1).bit_length() - 1
    if at < half:
        return sha(b"\1", root_of(at, half, joined, path[:-1]), path[-1])
    return sha(b"\1", path[-1], root_of(at - half, size - half, joined, path[:-1]))

def read_fact(line: bytes) -> tuple[Fact, bytes]:
    """Return a fact and its entry."""
    position, at, kind, tags, data, parts = FACT.fullmatch(line).groups()  # type: ignore[union-attr]
    fact = {"position": int(position), "kind": json.loads(kind), "tags": json.loads(tags)}
    when, digests = datetime.fromisoformat(at.decode()), map(bytes.fromhex, json.loads(parts))
    row = [len(tag.encode()).to_bytes(2, "big") + tag.encode() for tag in fact["tags"]]
    need(spelled(fact["tags"]) == tags and spelled(fact["kind"]) == kind, "another spelling")
    need(when.isoformat().replace("+00:00", "Z") == at.decode(), "another spelling")
    stamp = (when - datetime.fromisoformat("1970-01-01T00:00:00Z")) // timedelta(microseconds=1)
    entry = struct.pack(">BQqH", 2, fact["position"], stamp, len(kind) - 2) + kind[1:-1]
    entry += sha(*row) + sha(data) + bytes([len(json.loads(parts))]) + b"".join(digests)
    return {**fact, "data": json.loads(data)}, entry

def positions(said: Fact, key: bytes, leaves: list[Fact]) -> list[int]:
    """Return all positions of a key in a segment, none if it is proved that there are none."""
    keys, at, places = list[bytes](), [one["index"] for one in leaves], list[int]()
    for one in leaves:
        leaf, path = bytes.fromhex(one["leaf"]), [bytes.fromhex(node) for node in one["path"]]
        places = [*struct.unpack(f">{int.from_bytes(leaf[32:36], 'big')}Q", leaf[36:])]
        need(places == sorted(set(places)) and said["first"] <= places[0], "no leaf")
        root = root_of(one["index"], said["count"], sha(b"\0", leaf), path)
        need(places[-1] <= said["last"] and root.hex() == said["root"], "of another segment")
        keys.append(leaf[:32])
    if keys == [key]:
        return places
    right = {(): said["count"] == 0, (False,): at == [0], (True,): at == [said["count"] - 1],
             (True, False): at[1:] == [one + 1 for one in at[:1]]}
    need(key not in keys and right.get(tuple(one < key for one in keys)), "not beside its place")
    return []

class Log:
    """One log of a bundle, each of whose facts is proved."""
    def __init__(self, files: dict[str, bytes], log: str, said: Fact, trust: Trust) -> None:
        read = [files[f"{log}/{name}.ndjson"].split(b"\n") for name in ("facts", "proofs", "index")]
        need(all(lines.pop() == b"" for lines in read), "a line is cut")
        own = {key: of for key, of in trust.logs.items() if key[0] == said["origin"]}
        (origin, size, root), by = read_note(files[f"{log}/checkpoint"], trust.witnesses | own)
        need(by & own.keys() and trust.enough(by), "not signed, or not cosigned")
        need([origin, size, root] == [said[one] for one in ("origin", "size", "root")], "a note")
        self.facts, self.segments, self.indexed = dict[int, Fact](), dict[int, Fact](), 0
        for (fact, entry), proof in zip(map(read_fact, read[0]), read[1], strict=True):
            at, text = fact["position"], json.loads(proof)["proof"]
            head, _, note = text.partition("\n\n")
            title, index, *path = head.split("\n")
            need(spelled({"position": at, "proof": text}) == proof, "another spelling")
            need((title, index) == ("c2sp.org/tlog-proof@v1", f"index {at - 1}"), "another proof")
            found = root_of(at - 1, size, sha(b"\0", entry), [plain(one) for one in path]).hex()
            need((note.encode(), found) == (files[f"{log}/checkpoint"], root), "another checkpoint")
            self.facts[at], data = fact, fact["data"]
            if fact["kind"] == "tags.indexed.1":
                need([data["index"], data["log"]] == ["tags.1", log], "an index of another log")
                need(self.indexed + 1 == data["first"] <= data["last"] < at, "a gap")
                self.segments[at], self.indexed = data, data["last"]
        need(self.indexed == said["indexed"] > 0, "the index ends elsewhere")
        need([*self.facts] == sorted(self.facts) and len(self.facts) == len(read[0]), "order")
        proofs = [json.loads(line) for line in read[2]]
        self.proofs = {(one["segment"], one["key"]): one["leaves"] for one in proofs}
        need([spelled(one) for one in proofs] == read[2] and len(proofs) == len(self.proofs)
             and [*self.proofs] == sorted(self.proofs), "another spelling, or another order")
        self.used: set[Any] = set(self.segments)
    def found(self, tag: str, kind: str | None) -> Iterator[Fact]:
        """Yield all facts with a tag; raises unless it is proved that they are all."""
        key = sha((tag if kind is None else f"{tag}\0{kind}").encode())
        for segment, said in self.segments.items():
            self.used.add((segment, key.hex()))
            for position in positions(said, key, self.proofs[segment, key.hex()]):
                fact = self.facts[position]
                need(tag in fact["tags"] and kind in {None, fact["kind"]}, "the index is not true")
                self.used.add(position)
                yield fact

def seeds(noun: str, own_id: str) -> list[tuple[str, str, str | None]]:
    """Return with what a matter begins: log, tag and, if it is one kind's facts alone, the kind."""
    return [(log, f"{tag}:{own_id}", None) for log, tag in map(str.split, SEEDS[noun])]
def rights_of(asked: Fact) -> list[str]:
    """Return the ids of the rights that a question takes: none where nobody stands at a counter."""
    nouns = {"registration": "", "contract": "bank", "training": "clerk", "permission": "site"}
    ids = [f"{right}/{asked['office_id'] or ''}/{asked.get(f'{noun}_id') or ''}"
           for right, noun in nouns.items() if asked["channel"] != "online"]
    return [own.removesuffix("/") for own in ids]
def led_to(fact: Fact) -> list[tuple[str, str, str | None]]:
    """Return what else belongs to the matter of a fact."""
    split = [tag.partition(":") for tag in fact["tags"]]
    found = [one for noun, _, own in split if noun in LEADS for one in seeds(LEADS[noun], own)]
    if fact["kind"] == "consent.requested.1":
        found += [("consent", f"right:{one}", "right.granted.1") for one in rights_of(fact["data"])]
        found += [("consent", f"{noun}:{fact['data'][f'{noun}_id']}", f"suspension.{what}.1")
                  for noun in NOUNS if fact["data"][f"{noun}_id"] for what in ("ordered", "lifted")]
    return found

def complete(about: Fact, logs: dict[str, Log]) -> set[str]:
    """Hold that all of the matter is there, and nothing else; returns its consents."""
    waiting = [one for own in about["ids"] for one in seeds(about["noun"], own)]
    claimed = set[Any]()
    while waiting:
        claim = waiting.pop()
        found = [] if claim in claimed else logs[claim[0]].found(*claim[1:])
        waiting += [one for fact in found for one in led_to(fact)]
        claimed.add(claim)
    for log in logs.values():
        need(log.used == {*log.facts, *log.proofs}, "a fact or a proof that does not belong there")
    for one in [*logs["consent"].facts.values()] if about["absent"] else ():
        if one["kind"] in {"consent.given.1", "consent.confirmed.1"} and (
                about["noun"] == "account" or one["data"]["citizen_id"] in about["ids"]):
            need(one["data"]["statement"]["purpose"] != "open-account", "there is an agreement")
    return {tag[8:] for _, tag, kind in claimed if kind is None and tag.startswith("consent:")}

def verify(place: Path, keys: str, policy: str) -> tuple[dict[str, Log], set[str], Any]:
    """Return both logs, the consents of the matter and the files; raises for a bundle not right."""
    with zipfile.ZipFile(place) as archive:
        names = [one.filename for one in archive.infolist() if not one.is_dir()]
        files = {name: archive.read(name) for name in names}
    said = json.loads(content := files.pop("bundle.json"))
    need(spelled(said, by_name=True) == content and len(names) == len(files) + 1, "the manifest")
    texts = {name for name in files if re.fullmatch(r"texts/[a-z0-9][a-z0-9.-]{0,99}\.txt", name)}
    whole = texts | {f"{log}/{name}" for log in ("accounts", "consent") for name in FILES}
    whole |= {"README.md", "ledger-format.md", "jwks.json"}
    hashes = [{"path": name, "sha256": sha(files[name]).hex()} for name in sorted(whole)]
    need(said["files"] == hashes and files.keys() == whole, "other files than the manifest's")
    about, of_logs, trust = said["about"], said["logs"], Trust(keys, policy)
    need(said["format"] == "thuan-bundle.1" and of_logs.keys() == {"accounts", "consent"}, "form")
    ids, many = about["ids"], about["noun"] == "incident"
    need(ids == sorted(set(ids)) and (len(ids) == 1 or (ids and many)), "ids, each named once")
    need(not about["absent"] or about["noun"] in {"account", "citizen"}, "no such absence")
    logs = {log: Log(files, log, of_logs[log], trust) for log in of_logs}
    return logs, complete(about, logs), files
def asked(words: list[str]) -> tuple[Path, str, str]:
    """Return the bundle's place, and the texts of keys and policy."""
    named = dict(zip(words[1::2], words[2::2], strict=True))
    policy = Path(named["--policy"]).read_text("utf-8") if "--policy" in named else "quorum none"
    return Path(words[0]), Path(named["--keys"]).read_text("utf-8"), policy

if __name__ == "__main__":
    sys.excepthook = lambda kind, how, _: print(f"WRONG: {kind.__name__}: {how}", file=sys.stderr)
    for name, one in verify(*asked(sys.argv[1:]))[0].items():
        sys.stdout.write(f"right: {len(one.facts)} facts of {name}, all up to {one.indexed}\n")
