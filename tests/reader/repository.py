"""A repository in a folder, read without its index: where each chunk lies is taken from the packs' trailers.
What is damaged is told to `complain` or raised as Damage; what is whole beside it stays readable."""
import os
import re
from collections import OrderedDict, defaultdict

from format import (Block, Damage, FOOTER, KEY_SLOT, LIST_NODE, TREE_NODE, check_host, decode, need,
                    open_record, open_slot, parse_conf, parse_footer, parse_record, parse_trailer, sha256, signed_by)

HEX32 = "[0-9a-f]{32}"
SLOT = re.compile(f"keys/({HEX32})/({HEX32})$")
HOST = re.compile(f"hosts/({HEX32})$")
PACK = re.compile("(packs|nodes)/([0-9a-f]{2})/(\\2[0-9a-f]{62})$")
RECORD = re.compile(f"sets/({HEX32})/(\\d{{4}}-\\d{{2}})/(\\d{{8}}t\\d{{6}}z)-({HEX32})"
                    r"\.(set|checkpoint|completion|removal)$")
PACK_KINDS = {"packs": (1, (1, 2, 5)), "nodes": (3, (3,))}  # folder: the pack's kind, the kinds of its blocks
DATA, LIST, CATALOG = 1, 2, 3                               # kinds of chunks
UNREADABLE, WINDOWS, AWAY = 4, 16, 32                       # flags of an entry
STREAM, EFS = 1, 2                                          # kinds of parts
BLOCKS_KEPT = 48


def shown(key):
    """A key as a path for people."""
    return "/" + key.replace(b"\0", b"/").decode(errors="backslashreplace")


def chunk_of(ref, refs):
    """The id that a stored reference (ordinal + 1) names."""
    need(1 <= ref <= len(refs), "a reference beyond the node's refs")
    return refs[ref - 1]


class Repository:
    def __init__(self, path, complain):
        self.path, self.complain, self.keys = os.fsencode(path), complain, None
        self.where = None              # id -> [(pack's name, block)], of intact trailers
        self.opened = OrderedDict()    # (pack, offset) -> chunks of the blocks used last
        self.conf = self.configuration()

    # ---- objects (1) -------------------------------------------------------------------------------------------

    def read(self, name):
        with open(os.path.join(self.path, name.encode()), "rb") as f:
            return f.read()

    def objects(self, folder, pattern):
        """Matches of the names below a folder that the pattern knows; everything else is ignored."""
        for base, folders, files in os.walk(os.path.join(self.path, folder.encode())):
            folders.sort()
            for file in sorted(files):
                path = os.path.join(base, file)
                match = pattern.match(os.path.relpath(path, self.path).decode(errors="replace"))
                if match and os.path.getsize(path):
                    yield match

    def attempt(self, what, action, *args):
        """action's value; None, and a complaint about `what`, when something is damaged."""
        try:
            return action(*args)
        except (Damage, OSError) as e:
            self.complain(f"{what}: {e}")
            return None

    def configuration(self):
        """repository.conf, or its copy in a node pack's trailer."""
        try:
            return parse_conf(self.read("repository.conf"))
        except (Damage, OSError) as e:
            error = e
        for match in self.objects("nodes", PACK):
            trailer = self.attempt(match[0], self.trailer, match[0])
            if trailer and trailer.conf:
                self.complain(f"repository.conf: {error}; taken from {match[0]}")
                return parse_conf(trailer.conf)
        raise Damage(f"repository.conf: {error}")

    # ---- keys (4), hosts (5) -----------------------------------------------------------------------------------

    def slots(self):
        """(where, bytes) of each slot: those in keys/, newest first, then the copies in node packs."""
        own = []
        for match in self.objects("keys", SLOT):
            data = self.read(match[0])
            slot = self.attempt(match[0], decode, KEY_SLOT, data)
            if slot:
                own.append((slot.epoch, slot.created_ns, match[0], data))
        for *_, name, data in sorted(own, reverse=True):
            yield name, data
        for match in self.objects("nodes", PACK):
            trailer = self.attempt(match[0], self.trailer, match[0])
            for data in trailer.slots if trailer else []:
                yield f"a slot in {match[0]}", data

    def unlock(self, sheet, passphrase):
        tried = set()
        for name, data in self.slots():
            if data in tried:
                continue
            tried.add(data)
            try:
                self.keys = open_slot(data, sheet, passphrase)
            except Damage as e:
                error = f"{name}: {e}"
            else:
                error = "none is for this key"
            if self.keys:
                return
        raise Damage("no slot opens" + (f" ({error})" if tried else ": there is none"))

    def hosts(self):
        """Host records by id; only those of the keys' group, when there are keys."""
        out = {}
        for match in self.objects("hosts", HOST):
            host = self.attempt(match[0], check_host, self.read(match[0]), self.keys)
            if host and host.id.hex() != match[1]:
                self.complain(f"{match[0]}: holds the record of {host.id.hex()}")
            elif host and (not self.keys or host.group == self.keys.group):
                out[host.id] = host
        return out

    # ---- packs (7) ---------------------------------------------------------------------------------------------

    def trailer(self, name):
        with open(os.path.join(self.path, name.encode()), "rb") as f:
            size = f.seek(0, os.SEEK_END)
            need(size >= 8 + FOOTER.size, "too short for a pack")
            f.seek(size - FOOTER.size)
            footer = f.read()
            digest, length = parse_footer(footer)
            start = size - FOOTER.size - length
            need(start >= 8, "the trailer is longer than the pack")
            f.seek(start)
            data = f.read(length)
        need(sha256(data) == digest, "damaged: the trailer is not what its hash says")
        kind, _ = PACK_KINDS[name.split("/")[0]]
        header = b"SPP1" + bytes((1, kind, 0, 0))
        need(sha256(header + data + footer).hex() == name.rpartition("/")[2],
            "damaged: the trailer is another pack's, by the name")
        out = parse_trailer(data)
        need(out.blocks_end == start, "the trailer's blocks do not fill the pack")
        return out

    def locate(self):
        """Reads all trailers, once."""
        if self.where is None:
            self.where = defaultdict(list)
            for folder in PACK_KINDS:
                for match in self.objects(folder, PACK):
                    trailer = self.attempt(match[0], self.trailer, match[0])
                    for block in trailer.blocks if trailer else []:
                        for i in block.ids:
                            self.where[i].append((match[0], block))

    def chunk(self, chunk_id, kind):
        """(refs, plaintext) of a chunk, from the first place that has it whole."""
        self.locate()
        error = "in no pack"
        for pack, block in self.where.get(chunk_id, []):
            try:
                got, refs, plaintext = self.open_block(pack, block)[chunk_id]
                need(got == kind, f"is of kind {got}, not {kind}")
                return refs, plaintext
            except (Damage, OSError) as e:
                error = f"{pack}: {e}"
        raise Damage(f"chunk {chunk_id.hex()}: {error}")

    def open_block(self, pack, block):
        place = pack, block.offset
        if place not in self.opened:
            with open(os.path.join(self.path, pack.encode()), "rb") as f:
                f.seek(block.offset)
                data = f.read(block.length)
            self.opened[place] = Block(data).open(self.keys)
            if len(self.opened) > BLOCKS_KEPT:
                self.opened.popitem(last=False)
        self.opened.move_to_end(place)
        return self.opened[place]

    # ---- records (9) -------------------------------------------------------------------------------------------

    def records(self, hosts):
        """All records that hold what they say, oldest first; .inner is the sealed part, .trusted the signature."""
        out = []
        for match in self.objects("sets", RECORD):
            record = self.attempt(match[0], self.record, match, hosts)
            if record:
                out.append(record)
        return sorted(out, key=lambda r: r.time)

    def record(self, match, hosts):
        record = parse_record(self.read(match[0]), match[5])
        record.name, record.time, record.inner = match[0], match[3], None
        need(record.host.hex() == match[1] and record.set_id.hex() == match[4], "the record is of another name")
        need(match[2] == f"{match[3][:4]}-{match[3][4:6]}", "it lies in the wrong month")
        host = hosts.get(record.host)
        need(host is None or signed_by(record, host.keys), "the signature is wrong")
        record.trusted = host is not None
        if self.keys and record.trusted:
            record.inner = open_record(record, self.keys)
        return record

    # ---- the catalog (10) --------------------------------------------------------------------------------------

    def tree_node(self, node_id):
        refs, plaintext = self.chunk(node_id, CATALOG)
        node = decode(TREE_NODE, plaintext, canonical=True)
        need(not (node.children if node.level == 0 else node.entries), "a node of mixed levels")
        key = b""
        for entry in node.entries:
            need(entry.shared <= len(key), "an entry shares more than there is")
            entry.key = key[:entry.shared] + entry.suffix
            need(entry is node.entries[0] or entry.key > key, "entries are not sorted")
            key, entry.refs = entry.key, refs
        return node, refs

    def entries(self, node_id, level=None):
        """Entries below a node, sorted by key: each folder comes before what is in it."""
        node, refs = self.tree_node(node_id)
        need(level in (None, node.level), "a node of the wrong level")
        yield from node.entries
        for child in node.children:
            yield from self.entries(chunk_of(child.ref, refs), node.level - 1)

    def content(self, entry):
        """(length, chunk id or None for a hole) of a file's segments."""
        if entry.list_ref:
            yield from self.list_segments(chunk_of(entry.list_ref, entry.refs))
        for segment in entry.segments:
            yield segment.length, chunk_of(segment.ref, entry.refs) if segment.ref else None

    def parts(self, entry):
        """(kind, name, size) of what follows the file's own bytes."""
        table = next((a for a in entry.attributes if a.name == b"windows.streams"), None)
        if table is None:
            return []
        value = table.value if not table.ref else self.chunk(chunk_of(table.ref, entry.refs), DATA)[1]
        found, at = [], 0
        while at < len(value):
            need(len(value) - at >= 5, "a table of parts that ends early")
            kind, length = value[at], int.from_bytes(value[at + 1:at + 5], "little")
            name, at = value[at + 5:at + 5 + length], at + 5 + length
            need(len(value) - at >= 8, "a table of parts that ends early")
            found.append((kind, name, int.from_bytes(value[at:at + 8], "little")))
            at += 8
        need(sum(size for _, _, size in found) == entry.extra, "parts that do not add up to what they are said to be")
        need(len({name for _, name, _ in found}) == len(found), "two parts of one name")
        need(all(kind == EFS and not name or kind == STREAM and name and not set(name) & set(b"\0/\\:")
                 for kind, name, _ in found), "an impossible part")
        return found

    def list_segments(self, list_id, level=None):
        refs, plaintext = self.chunk(list_id, LIST)
        node = decode(LIST_NODE, plaintext, canonical=True)
        need(level in (None, node.level), "a chunk list of the wrong level")
        need(not (node.children if node.level == 0 else node.segments), "a chunk list of mixed levels")
        for segment in node.segments:
            yield segment.length, chunk_of(segment.ref, refs) if segment.ref else None
        for child in node.children:
            length = 0
            for segment in self.list_segments(chunk_of(child.ref, refs), node.level - 1):
                length += segment[0]
                yield segment
            need(length == child.length, "a chunk list's child has another length")

    def data(self, length, chunk_id):
        plaintext = self.chunk(chunk_id, DATA)[1]
        need(len(plaintext) == length, f"chunk {chunk_id.hex()} has {len(plaintext)} bytes instead of {length}")
        return plaintext


class Verify:
    """Everything that can be held against something. Without keys the blocks stay closed."""

    def __init__(self, repository):
        self.r, self.lengths, self.nodes = repository, {}, {}  # lengths: id -> (kind, length) of intact chunks
        repository.where = defaultdict(list)                   # of intact blocks only
        self.slots = defaultdict(set)                          # (group, id) -> copies in trailers
        self.counts = dict.fromkeys(("packs", "blocks", "chunks", "records", "entries"), 0)

    def run(self):
        r = self.r
        for folder in PACK_KINDS:
            for match in r.objects(folder, PACK):
                r.attempt(match[0], self.pack, match)
        for match in r.objects("keys", SLOT):
            r.attempt(match[0], self.slot, match)
        records = r.records(r.hosts())
        self.counts["records"] = len(records)
        for record in records:
            if not record.trusted:
                r.complain(f"{record.name}: no host record to check it with")
        self.chains(records)
        if r.keys:
            for record in records:
                if record.type in ("set", "checkpoint") and record.group == r.keys.group:
                    r.attempt(f"{record.name}: catalog", self.catalog, record)

    def slot(self, match):
        slot = decode(KEY_SLOT, self.r.read(match[0]))
        need((slot.group.hex(), slot.id.hex()) == (match[1], match[2]), "the slot is of another name")
        copies = self.slots[slot.group, slot.id]
        need(not copies or copies == {self.r.read(match[0])}, "the slot is not what its copies in node packs are")

    def pack(self, match):
        r, name = self.r, match[0]
        self.counts["packs"] += 1
        data = r.read(name)
        kind, block_kinds = PACK_KINDS[match[1]]
        need(data[:8] == b"SPP1" + bytes((1, kind, 0, 0)), "damaged: its first bytes are not those of such a pack")
        trailer = r.trailer(name)
        need(trailer.repository.hex() == r.conf["id"], "a pack of another repository")
        if kind == 3:
            need(parse_conf(trailer.conf)["id"] == r.conf["id"], "its copy of repository.conf is of another one")
            for copy in trailer.slots:
                slot = decode(KEY_SLOT, copy)
                self.slots[slot.group, slot.id].add(copy)
        if any(sha256(data[b.offset:b.offset + b.length]) != b.sha256 for b in trailer.blocks):
            r.complain(f"{name}: damaged: a block is not what its hash says")
        for place in trailer.blocks:
            r.attempt(f"{name}: block at {place.offset}", self.block, name, trailer, place, block_kinds, data)

    def block(self, name, trailer, place, kinds, data):
        self.counts["blocks"] += 1
        data = data[place.offset:place.offset + place.length]
        need(sha256(data) == place.sha256, "its bytes do not fit the trailer")
        block = Block(data)
        need(block.ids == place.ids, "its ids are not those in the trailer")
        need(block.kind in kinds, f"a block of kind {block.kind} in such a pack")
        need(block.group == trailer.group, "a block of another group than its pack")
        if self.r.keys and block.group == self.r.keys.group:
            for i, (kind, refs, plaintext) in block.open(self.r.keys).items():
                self.lengths[i] = kind, len(plaintext)
                self.counts["chunks"] += 1
                need(kind in ((2, 3) if block.kind == 3 else (5,) if block.kind == 5 else (1,)),
                     f"a chunk of kind {kind} in a block of kind {block.kind}")
        for i in place.ids:
            self.r.where[i].append((name, place))

    def chains(self, records):
        """Sets and removals of each host and job: unbroken sequences, each link the hash of the one before."""
        jobs, sets = defaultdict(lambda: defaultdict(list)), {}
        for record in records:
            if record.type == "set":
                sets[record.set_id] = record
                jobs[record.host, record.job][record.sequence].append((record, record.sha256))
            elif record.type == "removal":
                jobs[record.host, record.job][record.sequence].append((record, record.record))
        for record in records:
            of = sets.get(record.set_id)
            if record.type in ("completion", "removal") and of and of.sha256 != record.record:
                self.r.complain(f"{record.name}: is not about the set {of.name}")
        for (host, job), links in jobs.items():
            for number in range(1, max(links) + 1):
                if not links[number]:
                    self.r.complain(f"sets/{host.hex()}: job {job}: set number {number} is missing")
                if len({digest for _, digest in links[number]}) > 1:
                    self.r.complain(f"sets/{host.hex()}: job {job}: several sets have number {number}")
                before = {digest for _, digest in links[number - 1]} if number > 1 else {b""}
                for record, _ in links[number]:
                    if before and record.previous not in before:
                        self.r.complain(f"{record.name}: does not follow the set before it")

    def catalog(self, record):
        _, _, entries, files_bytes, _ = self.node(record.root)
        need(entries == record.entries, f"has {entries} entries; the record says {record.entries}")
        need(files_bytes == record.bytes, f"has {files_bytes} bytes; the record says {record.bytes}")
        folders = {b""}  # every folder above an entry has an entry of its own
        for entry in self.r.entries(record.root):
            need(not entry.key or entry.key.rpartition(b"\0")[0] in folders, f"{shown(entry.key)} has no folder")
            if entry.type == 2:
                folders.add(entry.key)

    def node(self, node_id):
        """(first key, last key, entries, bytes, level) below a node; each node is checked once."""
        if node_id not in self.nodes:
            node, refs = self.r.tree_node(node_id)
            if node.level == 0:
                for entry in node.entries:
                    self.r.attempt(shown(entry.key), self.entry, entry)
                keys = [entry.key for entry in node.entries] or [b""]
                size = sum(entry.size for entry in node.entries if entry.type == 1)
                self.nodes[node_id] = keys[0], keys[-1], len(node.entries), size, 0
                self.counts["entries"] += len(node.entries)
            else:
                self.nodes[node_id] = self.children(node, refs)
        return self.nodes[node_id]

    def children(self, node, refs):
        need(node.children, "a node without children")
        first, last, entries, size = node.children[0].first, None, 0, 0
        for child in node.children:
            got = self.node(chunk_of(child.ref, refs))
            need(got[0] == child.first and got[2:] == (child.entries, child.bytes, node.level - 1),
                 "a child is not what its node says")
            need(last is None or got[0] > last, "children are not sorted")
            last, entries, size = got[1], entries + got[2], size + got[3]
        return first, last, entries, size, node.level

    def entry(self, entry):
        for attribute in entry.attributes:
            if attribute.ref:
                self.segment(None, chunk_of(attribute.ref, entry.refs))
        if entry.type == 1 and not entry.flags & UNREADABLE:
            end = entry.size + entry.extra
            need(end < 1 << 64, "more content than a number holds")
            need(sum(self.segment(*s) for s in self.r.content(entry)) == end, "its segments are not its size")
            borders, at = set(), entry.size
            need(bool(entry.extra) == any(a.name == b"windows.streams" for a in entry.attributes),
                 "parts without a table, or a table without parts")
            for _, _, size in self.r.parts(entry):
                borders.add(at)
                at += size
            at = 0
            for length, chunk in self.r.content(entry):
                need(not chunk or not any(at < b < at + length for b in borders), "a chunk spans two parts")
                need(chunk is None or at >= entry.size or not entry.flags & AWAY, "content of what is away")
                at += length
        file = entry.type == 1 and entry.flags & WINDOWS
        need(file or not (entry.extra or entry.flags & AWAY), "away, or with parts, and no file of Windows")

    def segment(self, length, chunk_id):
        if chunk_id:
            need(chunk_id in self.lengths, f"chunk {chunk_id.hex()} is in no intact pack")
            kind, size = self.lengths[chunk_id]
            need(kind == DATA and length in (None, size), f"chunk {chunk_id.hex()} is not what the entry says")
        return length
