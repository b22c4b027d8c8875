"""The bytes of a repository, as docs/format.md tells them: every function takes bytes and gives values, or
raises Damage with what is wrong. Section numbers are those of that page."""
import hashlib
import hmac
import re
import struct
import subprocess
from types import SimpleNamespace

from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat


class Damage(Exception):
    """Bytes that are not what the format says."""


def need(condition, words):
    if not condition:
        raise Damage(words)


def sha256(data):
    return hashlib.sha256(data).digest()


class Cursor:
    """Takes values off the front of bytes."""

    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, size):
        need(self.at + size <= len(self.data), "ends too early")
        self.at += size
        return bytes(self.data[self.at - size:self.at])

    def unpack(self, layout):
        return struct.unpack("<" + layout, self.take(struct.calcsize("<" + layout)))

    def u32(self):
        return self.unpack("I")[0]

    def ids(self, count):
        whole = self.take(32 * count)
        return [whole[i:i + 32] for i in range(0, len(whole), 32)]

    def end(self):
        need(self.at == len(self.data), f"{len(self.data) - self.at} bytes too many")


# ---- Protocol Buffers (12): a message's fields are (name, type) by number; [type] is repeated -----------------

UINT, INT, SINT, BYTES, TEXT = "uint", "int", "sint", "bytes", "text"

KEY_SLOT = {
    1: ("version", UINT), 2: ("group", BYTES), 3: ("id", BYTES), 4: ("kind", UINT), 5: ("epoch", UINT),
    6: ("created_ns", INT), 7: ("label", TEXT), 8: ("scrypt_log_n", UINT), 9: ("scrypt_r", UINT),
    10: ("scrypt_p", UINT), 11: ("salt", BYTES), 12: ("ephemeral", BYTES), 13: ("recipient", BYTES),
    14: ("proof_hash", BYTES), 15: ("wrapped", BYTES)}
HOST_RECORD = {
    1: ("version", UINT), 2: ("id", BYTES), 3: ("name", TEXT), 4: ("group", BYTES), 5: ("keys", [BYTES]),
    15: ("mac", BYTES)}
RECORD = {1: ("clear", BYTES), 2: ("sealed", BYTES), 3: ("signature", BYTES)}
SET_CLEAR = {
    1: ("version", UINT), 2: ("set_id", BYTES), 3: ("host", BYTES), 4: ("job", TEXT), 5: ("sequence", UINT),
    6: ("previous", BYTES), 7: ("state", UINT), 8: ("started_ns", INT), 9: ("ended_ns", INT),
    10: ("root", BYTES), 11: ("entries", UINT), 12: ("files", UINT), 13: ("bytes", UINT),
    14: ("bytes_read", UINT), 15: ("bytes_new", UINT), 16: ("bytes_stored", UINT), 17: ("applications", UINT),
    18: ("files_level", UINT), 19: ("program", TEXT), 20: ("group", BYTES),
    21: ("files_away", UINT)}
FAULT = {1: ("key", BYTES), 2: ("kind", UINT), 3: ("text", TEXT)}
VERDICT_STATUS = {
    1: ("answered", UINT), 2: ("state", UINT), 3: ("hresult", UINT), 4: ("app_hresult", UINT), 5: ("app_text", TEXT)}
VERDICT_WRITER = {
    1: ("class_id", TEXT), 2: ("instance_id", TEXT), 3: ("name", TEXT), 4: ("instance_name", TEXT),
    5: ("prepared", VERDICT_STATUS), 6: ("snapshot", VERDICT_STATUS), 7: ("complete", VERDICT_STATUS),
    8: ("concerned", UINT), 9: ("rule", TEXT), 10: ("level", UINT), 11: ("why", UINT), 12: ("hresult", UINT)}
VERDICT_COMPONENT = {
    1: ("writer", UINT), 2: ("type", UINT), 3: ("logical_path", TEXT), 4: ("name", TEXT), 5: ("caption", TEXT),
    6: ("kind", UINT), 7: ("unit", TEXT), 8: ("method", TEXT), 9: ("version", TEXT), 10: ("added", UINT),
    11: ("parent", UINT), 12: ("depends", [UINT]), 13: ("shadow", UINT), 14: ("failure_known", UINT),
    15: ("failure", UINT), 16: ("app_failure", UINT), 17: ("failure_text", TEXT), 18: ("stamped", UINT),
    19: ("files_live", UINT), 20: ("paths", [TEXT]), 21: ("level", UINT), 22: ("why", UINT), 23: ("hresult", UINT),
    24: ("detail", TEXT)}
VERDICT_SHADOW = {
    1: ("id", TEXT), 2: ("instant_ns", INT), 3: ("took_ns", UINT), 4: ("attempts", UINT), 5: ("retried_for", UINT),
    6: ("backup_type", UINT), 7: ("completed", UINT), 8: ("complete_hresult", UINT)}
VERDICT_EVENT = {
    1: ("at_ns", INT), 2: ("log", TEXT), 3: ("source", TEXT), 4: ("text", TEXT), 5: ("id", UINT), 6: ("severity", UINT)}
VERDICT = {
    1: ("vss", UINT), 2: ("confirmed", UINT), 3: ("writers", [VERDICT_WRITER]), 4: ("components", [VERDICT_COMPONENT]),
    5: ("shadows", [VERDICT_SHADOW]), 6: ("events", [VERDICT_EVENT]), 7: ("notes", [TEXT])}
SET_SEALED = {
    1: ("set_id", BYTES), 2: ("host_name", TEXT), 3: ("roots", [BYTES]), 5: ("faults", [FAULT]),
    6: ("faults_total", UINT), 7: ("excludes", [TEXT]), 8: ("platform", TEXT), 9: ("last_key", BYTES),
    20: ("verdict", VERDICT)}
COMPLETION = {
    1: ("version", UINT), 2: ("set_id", BYTES), 3: ("host", BYTES), 4: ("record", BYTES), 5: ("applications", UINT)}
DOCUMENT = {1: ("name", TEXT), 2: ("size", UINT), 3: ("chunks", [BYTES])}
COMPLETION_SEALED = {1: ("set_id", BYTES), 2: ("verdict", VERDICT), 3: ("documents", [DOCUMENT])}
REMOVAL = {
    1: ("version", UINT), 2: ("set_id", BYTES), 3: ("host", BYTES), 4: ("job", TEXT), 5: ("sequence", UINT),
    6: ("previous", BYTES), 7: ("record", BYTES), 8: ("removed_ns", INT), 9: ("reason", TEXT)}
SEGMENT = {1: ("length", UINT), 2: ("ref", UINT)}
ATTRIBUTE = {1: ("name", BYTES), 2: ("value", BYTES), 3: ("ref", UINT)}
ENTRY = {
    1: ("shared", UINT), 2: ("suffix", BYTES), 3: ("type", UINT), 4: ("flags", UINT), 5: ("size", UINT),
    6: ("mtime_ns", SINT), 7: ("ctime_ns", SINT), 8: ("btime_ns", SINT), 9: ("file_id", UINT),
    10: ("device", UINT), 11: ("links", UINT), 12: ("mode", UINT), 13: ("uid", UINT), 14: ("gid", UINT),
    15: ("user", BYTES), 16: ("group", BYTES), 17: ("rdev", UINT), 18: ("target", BYTES),
    19: ("segments", [SEGMENT]), 20: ("list_ref", UINT), 21: ("attributes", [ATTRIBUTE]),
    22: ("atime_ns", SINT), 23: ("extra", UINT)}
CHILD = {1: ("first", BYTES), 2: ("ref", UINT), 3: ("entries", UINT), 4: ("bytes", UINT)}
TREE_NODE = {1: ("level", UINT), 2: ("entries", [ENTRY]), 3: ("children", [CHILD])}
LIST_NODE = {1: ("level", UINT), 2: ("segments", [SEGMENT]), 3: ("children", [SEGMENT])}

DEFAULTS = {UINT: 0, INT: 0, SINT: 0, BYTES: b"", TEXT: ""}


def varint(data, at):
    value = shift = 0
    while True:
        need(at < len(data) and shift < 64, "a message ends within a number")
        value |= (data[at] & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if data[at - 1] < 0x80:
            return value & (1 << 64) - 1, at


def wire_fields(data):
    """Yields (offset, number, value) of each field: an int for a varint, bytes for the rest."""
    at = 0
    while at < len(data):
        start = at
        tag, at = varint(data, at)
        if tag & 7 == 0:
            value, at = varint(data, at)
        else:
            need(tag & 7 in (1, 2, 5), f"a message holds wire type {tag & 7}")
            size, at = (8, at) if tag & 7 == 1 else (4, at) if tag & 7 == 5 else varint(data, at)
            value, at = data[at:at + size], at + size
            need(at <= len(data), "a message ends within a field")
        need(tag >> 3, "a message holds field 0")
        yield start, tag >> 3, value


def decode(schema, data, canonical=False):
    """The message as a namespace. Unknown fields are ignored. canonical: rising order, no zero or empty value."""
    out = SimpleNamespace(**{name: [] if isinstance(kind, list) else {} if isinstance(kind, dict) else DEFAULTS[kind]
                             for name, kind in schema.values()})
    last = 0
    for _, number, value in wire_fields(data):
        if number not in schema:
            continue
        name, kind = schema[number]
        repeated = isinstance(kind, list)
        if repeated:
            kind = kind[0]
        if canonical:
            need(number > last or number == last and repeated, f"field {name} is out of order")
            need(value or repeated, f"field {name} is there, but empty")
            last = number
        if repeated and kind == UINT and not isinstance(value, int):  # packed
            at = 0
            while at < len(value):
                number_in_it, at = varint(value, at)
                getattr(out, name).append(number_in_it)
            continue
        need(isinstance(value, int) == (kind in (UINT, INT, SINT)), f"field {name} has the wrong wire type")
        if isinstance(kind, dict):
            value = decode(kind, value, canonical)
        elif kind == INT:
            value -= (value >> 63) << 64
        elif kind == SINT:
            value = value >> 1 ^ -(value & 1)
        elif kind == TEXT:
            value = value.decode(errors="replace")
        if repeated:
            getattr(out, name).append(value)
        else:
            setattr(out, name, value)
    return out


def before_last(data, number):
    """The message's bytes before its last field, which must have that number."""
    start = last = 0
    for start, last, _ in wire_fields(data):
        pass
    need(last == number, f"field {number} is not the last")
    return data[:start]


# ---- keys (3), slots (4), host records (5), text forms (11) ----------------------------------------------------

def hkdf_expand(key, info):
    return hmac.digest(key, info + b"\1", "sha256")  # one round gives the 32 bytes that everything here wants


def hkdf(ikm, salt, info):
    return hkdf_expand(hmac.digest(salt or bytes(32), ikm, "sha256"), info)


def derive(secret, label):
    return hkdf(secret, b"", b"stillpoint 1 " + label)


class Keys:
    """The keys of a group, from its secrets."""

    def __init__(self, secrets):
        at = Cursor(secrets)
        version, root, count = at.unpack("B32sH")
        need(version == 1, f"secrets of version {version}")
        self.seals = dict(at.unpack("I32s") for _ in range(count))
        at.end()
        self.group = derive(root, b"group")[:16]
        self.id, self.mac = derive(root, b"id"), derive(root, b"mac")

    def chunk_id(self, kind, refs, plaintext):
        head = struct.pack("<BI", kind, len(refs)) + b"".join(refs)
        return hmac.digest(self.id, head + plaintext, "sha256")


def gcm_open(key, sealed, clear, what):
    try:
        return AESGCM(key).decrypt(bytes(12), sealed, clear)
    except (InvalidTag, ValueError):
        raise Damage(f"{what} does not open") from None


def slot_kek(slot, sheet, passphrase):
    """The key encryption key of a slot for a recovery key or a passphrase; None: the slot is not for it."""
    if slot.kind == 1 and passphrase is not None:
        need(slot.scrypt_log_n <= 20 and slot.scrypt_r <= 32 and slot.scrypt_p <= 16 and
             (slot.scrypt_r << slot.scrypt_log_n) * 128 <= 1 << 30, "scrypt parameters beyond the limits")
        return hashlib.scrypt(passphrase, salt=slot.salt, n=1 << slot.scrypt_log_n, r=slot.scrypt_r,
                              p=slot.scrypt_p, maxmem=(1 << 31) - 1, dklen=32)
    if slot.kind == 2 and sheet is not None:
        private = X25519PrivateKey.from_private_bytes(sheet)
        public = private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        if slot.recipient == public:
            shared = private.exchange(X25519PublicKey.from_public_bytes(slot.ephemeral))
            return hkdf(shared, slot.ephemeral + public, b"stillpoint 1 recovery")
    return None


def open_slot(data, sheet, passphrase):
    slot = decode(KEY_SLOT, data)
    need(slot.version == 1, f"a slot of version {slot.version}")
    try:
        kek = slot_kek(slot, sheet, passphrase)
    except ValueError as e:
        raise Damage(f"the slot cannot be used: {e}") from None
    if kek is None:
        return None
    keys = Keys(gcm_open(kek, slot.wrapped, before_last(data, 15), "the slot"))
    need(keys.group == slot.group, "the slot holds another group's secrets")
    return keys


def check_host(data, keys):
    host = decode(HOST_RECORD, data)
    need(host.version == 1, f"a host record of version {host.version}")
    if keys and host.group == keys.group:
        mac = hmac.digest(keys.mac, before_last(data, 15), "sha256")
        need(hmac.compare_digest(mac, host.mac), "the host record's MAC is wrong")
    return host


ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


def base32(text):
    """The bytes of a Crockford text with its two check characters."""
    text = text.upper().replace("-", "").replace(" ", "").translate(str.maketrans("OIL", "011"))
    need(len(text) > 2 and set(text) <= set(ALPHABET), "not base32")
    value = 0
    for c in text:
        value = value << 5 | ALPHABET.index(c)
    check, value, bits = value & 0x3FF, value >> 10, 5 * (len(text) - 2)
    need(value & (1 << bits % 8) - 1 == 0, "base32 padded with ones")
    data = (value >> bits % 8).to_bytes(bits // 8, "big")
    crc = 0x3FF
    for i in range(8 * len(data)):
        crc = crc << 1 ^ (0x7D9 if (crc >> 9 ^ data[i // 8] >> (7 - i % 8)) & 1 else 0)
        crc &= 0x3FF
    need(crc == check, "the check characters do not fit: a typing error?")
    return data


def sheet_key(text):
    """The recovery key in a sheet: the line that is 32 bytes of base32."""
    for line in text.splitlines():
        if len(line.replace("-", "").replace(" ", "")) == 54:
            return base32(line)
    raise Damage("the sheet holds no recovery key")


# ---- repository.conf (2) ---------------------------------------------------------------------------------------

def parse_conf(data):
    body, mark, tail = data.rpartition(b"sha256 = ")
    need(mark and tail.strip() == sha256(body).hex().encode(), "repository.conf does not fit its last line")
    first, *lines = body.decode(errors="replace").split("\n")
    need(first == "stillpoint repository", "not a repository")
    conf = dict(line.partition(" = ")[::2] for line in lines)
    need(conf.get("version") == "1", f"version {conf.get('version')}; this reader knows version 1")
    need("id" in conf, "no id in repository.conf")
    return conf


# ---- blocks (6) and packs (7) ----------------------------------------------------------------------------------

class Block:
    """A block's clear header; open() gives its chunks."""

    def __init__(self, data):
        at = Cursor(data)
        magic, suite, self.kind, count, header, sealed, self.group, self.epoch, zero, self.salt, self.counter = \
            at.unpack("4sBBHII16sII16sQ")
        need(magic == b"SPB1" and suite == 1 and zero == 0, "not a block")
        need(1 <= count <= 1024 and max(header, sealed) <= 4 << 20, "a block beyond the limits")
        self.ids = at.ids(count)
        need(self.ids == sorted(set(self.ids)), "a block's ids are not sorted")
        self.refs = [at.ids(n) for n in at.unpack(f"{count}I")] if self.kind == 3 else [[]] * count
        need(all(refs == sorted(set(refs)) for refs in self.refs), "a block's refs are not sorted")
        need(at.at == header, "a block's header has the wrong length")
        self.header, self.sealed = data[:header], at.take(sealed)
        at.end()

    def open(self, keys):
        """Chunks of the block: {id: (kind, refs, plaintext)}, each id recomputed."""
        need(self.group == keys.group, "a block of another group")
        need(self.epoch in keys.seals, f"a block of epoch {self.epoch}, which these keys do not have")
        names = struct.pack("<BH", self.kind, len(self.ids)) + b"".join(self.ids)
        connection = hkdf(keys.seals[self.epoch], self.salt, b"stillpoint 1 seal")
        key = hkdf_expand(connection, b"stillpoint 1 block" + struct.pack("<Q", self.counter) + sha256(names))
        at = Cursor(unpack_sealed(gcm_open(key, self.sealed, self.header, "a block")))
        table = [at.unpack("HBBI") for _ in self.ids]
        need(sorted(row[0] for row in table) == list(range(len(self.ids))), "a block's table of chunks is wrong")
        chunks = {}
        for ordinal, kind, _, length in table:
            plaintext, refs = at.take(length), self.refs[ordinal]
            need(keys.chunk_id(kind, refs, plaintext) == self.ids[ordinal], "a chunk does not fit its id")
            chunks[self.ids[ordinal]] = kind, refs, plaintext
        at.end()
        return chunks


def unpack_sealed(plain):
    at = Cursor(plain)
    compression, zero, packed, raw = at.unpack("B3sII")
    need(compression in (0, 1) and zero == bytes(3) and raw <= 4 << 20, "a block's inner header is wrong")
    content = at.take(packed)
    exponent = len(plain).bit_length() - 1
    need(len(plain) % (1 << exponent - exponent.bit_length()) == 0, "a block's length is not padded")
    need(not any(plain[at.at:]), "a block's padding is not zero")
    if compression == 1:
        content = subprocess.run(["zstd", "-dcq"], input=content, stdout=subprocess.PIPE, check=False).stdout
    need(len(content) == raw, f"a block unpacks to {len(content)} bytes instead of {raw}")
    return content


FOOTER = struct.Struct("<32sII8s")


def parse_footer(data):
    """(SHA-256, length) of the trailer, from a pack's last 48 bytes."""
    need(len(data) == FOOTER.size, "shorter than a footer")
    digest, length, zero, magic = FOOTER.unpack(data)
    need(magic == b"SPPTRAIL" and zero == 0, "damaged: it does not end in a footer")
    return digest, length


def parse_trailer(data):
    at = Cursor(data)
    out = SimpleNamespace(blocks=[], slots=[])
    out.uploader, out.group, out.repository, count = at.unpack("16s16s16sI")
    offset = 8
    for _ in range(count):
        length, n, digest = at.unpack("II32s")
        out.blocks.append(SimpleNamespace(offset=offset, length=length, sha256=digest, ids=at.ids(n)))
        offset += length
    out.conf = at.take(at.u32())
    out.slots = [at.take(at.u32()) for _ in range(at.u32())]
    at.end()
    out.blocks_end = offset
    return out


# ---- records (9) -----------------------------------------------------------------------------------------------

RECORD_TYPES = {"set": (1, SET_CLEAR, SET_SEALED), "checkpoint": (2, SET_CLEAR, SET_SEALED),
                "completion": (3, COMPLETION, COMPLETION_SEALED), "removal": (4, REMOVAL, None)}


def parse_record(data, suffix):
    """The record with its clear part decoded; .signed is what the signature covers."""
    number, schema, _ = RECORD_TYPES[suffix]
    raw = decode(RECORD, data)
    out = decode(schema, raw.clear)
    need(out.version == 1, f"a record of version {out.version}")
    out.type, out.sealed, out.signature, out.sha256 = suffix, raw.sealed, raw.signature, sha256(data)
    out.signed = b"stillpoint record 1" + struct.pack("<BI", number, len(raw.clear)) + raw.clear + raw.sealed
    return out


def open_record(record, keys):
    """The sealed part of a record, decoded; None for a removal."""
    schema = RECORD_TYPES[record.type][2]
    if schema is None:
        need(not record.sealed, "a removal with a sealed part")
        return None
    first, *others = blocks_of(record.sealed) if record.type == "completion" else [record.sealed]
    inner = decode(schema, only_chunk(first, 4, keys)[1])
    need(inner.set_id == record.set_id, "a record's sealed part is of another set")
    if inner.verdict:
        check_verdict(inner.verdict)
    if record.type == "completion":
        need(inner.verdict, "a completion without a verdict")
        documents_of(inner, others, keys)
    return inner


def blocks_of(data):
    """One behind the other, each as long as its header says."""
    out = []
    while data:
        need(len(data) >= 16, "a block that is cut off")
        length = sum(struct.unpack("<II", data[8:16]))
        need(16 <= length <= len(data), "a block that is cut off")
        out.append(data[:length])
        data = data[length:]
    return out


def only_chunk(data, wanted, keys):
    """(id, plaintext) of a block of that kind with one chunk of that kind."""
    block = Block(data)
    need(block.kind == wanted and len(block.ids) == 1, f"a block that is not one of kind {wanted} with one chunk")
    (chunk_id, (kind, _, plaintext)), = block.open(keys).items()
    need(kind == wanted, f"a chunk of kind {kind} in a block of kind {wanted}")
    return chunk_id, plaintext


def documents_of(inner, blocks, keys):
    """Gives each document of a completion its content."""
    need(len(inner.documents) <= 100 and sum(d.size for d in inner.documents) <= 8 << 20, "too many documents")
    for document in inner.documents:
        need(1 <= len(document.name.encode()) <= 255, "a document without a proper name")
        document.content = b""
        for wanted in document.chunks:
            need(blocks, f"the document {document.name} is cut off")
            chunk_id, plaintext = only_chunk(blocks.pop(0), 5, keys)
            need(chunk_id == wanted, f"the document {document.name} has another chunk")
            document.content += plaintext
        need(len(document.content) == document.size, f"the document {document.name} is not {document.size} bytes long")
    need(not blocks, "more blocks than documents")


LEVELS = ("none", "live", "crash", "application")
UUID = re.compile(r"([0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12})?")


def check_verdict(verdict):
    """What 9.1 asks of one."""
    lists = verdict.writers, verdict.components, verdict.shadows, verdict.events, verdict.notes
    need(all(len(v) <= most for v, most in zip(lists, (1000, 10000, 100, 1000, 1000))), "a verdict with too much in it")
    need(all(w.level < len(LEVELS) for w in verdict.writers + verdict.components), "an unknown consistency")
    need(all(UUID.fullmatch(i) for w in verdict.writers for i in (w.class_id, w.instance_id)), "an impossible identifier")
    need(all(UUID.fullmatch(s.id) for s in verdict.shadows), "an impossible identifier")
    n = len(verdict.components)
    for at, c in enumerate(verdict.components, 1):
        need(c.writer <= len(verdict.writers) and c.shadow <= len(verdict.shadows) and c.parent <= n
             and all(1 <= d <= n for d in c.depends), "a component that refers to nothing")
        seen = {at}
        while c.parent:
            need(c.parent not in seen, "components that are each other's parents")
            seen.add(c.parent)
            c = verdict.components[c.parent - 1]


def signed_by(record, public_keys):
    for key in public_keys:
        try:
            Ed25519PublicKey.from_public_bytes(key).verify(record.signature, record.signed)
            return True
        except (InvalidSignature, ValueError):
            pass
    return False
