"""Whose phone or mail it is: users by what they have set, in the order of setting.

Several users may have one phone or mail. A mail counts without regard to case, a phone as it is
written. A text is kept as 7 bytes of its digest; a look-up asks the users' records, so another text
of the same digest finds nobody. What one user has set takes 90 to 120 bytes (as measured, before
and after the dict doubles), each further user of it about 60, and 12 in a dump.

Invariants (`check`): nothing is kept under a digest that nobody has; the running hash is that of
all entries; (`faults_of`) every user is found by its phone and mail, and by nothing else.
"""

import struct
from collections.abc import Iterable

from ledger.digests import RunningHash, digest_of, hash_of
from ledger.users import User, Users

KEY_BYTES = 7                       # as an int they take 32 bytes, one byte more would cost 16
ENTRY = struct.Struct("<QI")        # digest, uid
PHONE, EMAIL = b"phone", b"email"


class Contacts:
    """The phones and mails of all users of a house."""

    __slots__ = ("_uids", "_count", "_hash")

    def __init__(self):
        self._hash = RunningHash()
        self._count = 0
        # By digest: a uid, or the keys of a dict of at least two.
        self._uids: dict[int, int | dict[int, None]] = {}

    def __len__(self) -> int:
        """Phones and mails of users: one that two users have counts twice."""
        return self._count

    def by_phone(self, users: Users, phone: str) -> list[int]:
        """The uids of those who have that phone, in the order in which they set it."""
        return [uid for uid in self._at(phone_key(phone)) if users.get(uid).phone == phone]

    def by_email(self, users: Users, email: str) -> list[int]:
        """The uids of those who have that mail, in the order in which they set it."""
        folded = email.casefold()
        return [uid for uid in self._at(email_key(email))
                if (users.get(uid).email or "").casefold() == folded]

    def add(self, user: User) -> None:
        """Note what a user has that was just registered."""
        for key in keys_of(user):
            self._insert(key, user.uid)

    def change(self, before: User, after: User) -> None:
        """Note what a user has set anew; what is the same as before keeps its place."""
        old, new = keys_of(before), keys_of(after)
        for key in old:
            if key not in new:
                self._remove(key, before.uid)
        for key in new:
            if key not in old:
                self._insert(key, after.uid)

    def _at(self, key: int) -> Iterable[int]:
        uids = self._uids.get(key, ())
        return (uids,) if type(uids) is int else uids

    def _insert(self, key: int, uid: int) -> None:
        uids = self._uids.get(key)
        if uids is None:
            self._uids[key] = uid
        elif type(uids) is dict and uid not in uids:
            uids[uid] = None
        elif type(uids) is int and uid != uids:
            self._uids[key] = {uids: None, uid: None}
        else:
            raise ValueError(f"user {uid} has it already")
        self._count += 1
        self._hash.add(ENTRY.pack(key, uid))

    def _remove(self, key: int, uid: int) -> None:
        uids = self._uids[key]
        if type(uids) is dict:
            del uids[uid]
            if len(uids) == 1:
                self._uids[key] = next(iter(uids))
        else:
            del self._uids[key]
        self._count -= 1
        self._hash.remove(ENTRY.pack(key, uid))

    def _entries(self) -> Iterable[bytes]:
        for key in self._uids:
            for uid in self._at(key):
                yield ENTRY.pack(key, uid)

    def digest(self) -> bytes:
        """The running hash. O(1)."""
        return self._hash.digest()

    def dump(self) -> bytes:
        return b"".join(self._entries())

    @classmethod
    def load(cls, dumped: bytes) -> "Contacts":
        """What `dump` gave, as contacts again; ValueError where it is cut off or repeats one."""
        if len(dumped) % ENTRY.size:
            raise ValueError(f"{len(dumped)} bytes are no entries of {ENTRY.size}")
        contacts = cls()
        contacts._uids = dict(ENTRY.iter_unpack(dumped))
        contacts._count = len(dumped) // ENTRY.size
        if len(contacts._uids) == contacts._count:
            contacts._hash.add_all(dumped[start:start + ENTRY.size]
                                   for start in range(0, len(dumped), ENTRY.size))
            return contacts
        # Some have a phone or a mail together.
        contacts = cls()
        for key, uid in ENTRY.iter_unpack(dumped):
            contacts._insert(key, uid)
        return contacts

    def check(self) -> list[str]:
        """What is wrong with the index alone, empty when every invariant holds."""
        faults = [f"digest {key:x} is kept for {len(uids)} users" for key, uids
                  in self._uids.items() if type(uids) is dict and len(uids) < 2]
        found = list(self._entries())
        if len(found) != self._count:
            faults.append(f"{len(found)} phones and mails, {self._count} counted")
        if self.digest() != hash_of(found):
            faults.append("the running hash of the contacts is not that of their entries")
        return faults

    def faults_of(self, users: Users) -> list[str]:
        """What does not fit the users, empty where everything does. O(users)."""
        faults = []
        wanted = 0
        for user in users:
            keys = keys_of(user)
            wanted += len(keys)
            if any(user.uid not in self._at(key) for key in keys):
                faults.append(f"user {user.uid} is not found by its phone and mail")
        if wanted != self._count:
            faults.append(f"users have {wanted} phones and mails, {self._count} are known")
        return faults


def keys_of(user: User) -> dict[int, None]:
    """What a user is found by."""
    keys = {} if user.phone is None else {phone_key(user.phone): None}
    if user.email is not None:
        keys[email_key(user.email)] = None
    return keys


def phone_key(phone: str) -> int:
    return key_of(PHONE, phone)


def email_key(email: str) -> int:
    return key_of(EMAIL, email.casefold())


def key_of(subject: bytes, text: str) -> int:
    # Who is looked for may be any text at all, half a character included.
    digest = digest_of(subject, text.encode(errors="surrogatepass"))
    return int.from_bytes(digest[:KEY_BYTES], "little")
