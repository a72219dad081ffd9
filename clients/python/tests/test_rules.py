"""What no vector can say: bounds, clocks, and what a service chooses."""

import asyncio
import base64
import json
import ssl
import time
from collections.abc import Callable, Collection
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import formatdate
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from claviger_verify import Claviger, Identity, Settings, Use, WrongSettings
from claviger_verify.claviger import PROVED_FOR
from claviger_verify.guard import NotAdmitted, permissions_of, presented
from claviger_verify.instance.cache import Bounded, Entry, Opaque, Refused
from claviger_verify.instance.clock import Clock, Heard
from claviger_verify.instance.remote import Remote, RemoteError, Told
from claviger_verify.instance.replays import Replays
from claviger_verify.instance.turns import Turns
from claviger_verify.instance.usage import Usage
from claviger_verify.token.answer import Answer, read_answer
from claviger_verify.token.dpop import Proof, proof_url
from claviger_verify.token.ended import Document, Ended, read_ended
from claviger_verify.token.feed import REMEMBERED, Change, Events, Message, Names, NoMessage, Place, position_of
from claviger_verify.token.found import Found
from claviger_verify.token.json_object import read_object
from claviger_verify.token.key import are_same_keys, read_key, read_keys
from claviger_verify.token.text import decoded

SOON = 10.0
KEY = "key_01h2xcejqtf2nbrexx3vqjhp41"
ACCOUNT = "sa_01h2xcejqtf2nbrexx3vqjhp41"
NOW = datetime.fromtimestamp(1_800_000_000, UTC)
P256: dict[str, object] = {
    **{"kty": "EC", "crv": "P-256", "x": "l8tFrhx-34tV3hRICRDY9zCkDlpBhF42UQUfWVAWBFs"},
    "y": "9VE4jf_Ok_o64zbTTlcuNJajHmt6v9TDVrU0CdvGRDA",
}
ED25519 = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"


def message(reset: bool, position: int, *changes: tuple[int, str]) -> Message:
    return Message(reset, "", position, False, [Change(sequence, name, False) for sequence, name in changes])


@pytest.mark.parametrize(
    ("more", "wrong"),
    [
        ({}, None),
        ({"issuer": "https://keys.acme.test/"}, "issuer"),
        ({"issuer": None}, "issuer"),
        ({"issuer": "http://keys.acme.test"}, "issuer"),
        ({"issuer": "http://localhost:7420"}, None),
        ({"audience": ""}, "audience"),
        ({"internal_address": "127.0.0.1:7421"}, "internal_address"),
        ({"issuer": 'https://keys.acme.test"'}, "issuer"),
        ({"issuer": "https://keys.acme\n.test"}, "issuer"),
        ({"internal_token": "a\nb"}, "internal_token"),
        ({"internal_token": ""}, "internal_token"),
        ({"internal_token": 7}, "internal_token"),
        ({"public_address": "keys"}, "public_address"),
        ({"public_address": "http://10.0.0.1"}, "public_address"),
        ({"public_address": "http://[::1]:7420"}, None),
        ({"origin": "ftp://api.acme.test"}, "origin"),
        ({"keys_without_feed_seconds": 0.999}, "keys_without_feed_seconds"),
        ({"tokens_without_feed_seconds": 19}, "tokens_without_feed_seconds"),
        ({"tokens_without_feed_seconds": float("nan")}, "tokens_without_feed_seconds"),
        ({"cache_entries": 0}, "cache_entries"),
        ({"patience_seconds": 10}, None),
        ({"patience_seconds": 10.1}, "patience_seconds"),
        ({"close_seconds": 0}, "close_seconds"),
        ({"close_seconds": 60}, None),
        ({"ssl_context": ssl.create_default_context()}, None),
        ({"ssl_context": ssl._create_unverified_context()}, "ssl_context"),
        ({"ssl_context": True}, "ssl_context"),
    ],
)
def test_settings_that_cannot_be_followed_are_refused(more: dict[str, Any], wrong: str | None) -> None:
    sound = {"issuer": "https://keys.acme.test", "internal_address": "http://127.0.0.1:7421", "audience": "urn:api"}
    if wrong is None:
        Settings(**{**sound, **more})
    else:
        with pytest.raises(WrongSettings) as refused:
            Settings(**{**sound, **more})
        assert refused.value.setting == wrong


def test_an_internal_token_is_not_shown() -> None:
    settings = Settings(issuer="https://a.test", internal_address="http://b.test", audience="c", internal_token="hush")
    assert "hush" not in repr(settings)


def test_what_is_no_permission_is_not_asked_for() -> None:
    assert permissions_of(["invoices:read"]) == ("invoices:read",)
    for wrong in ("", "*", "a b", "invoices:", 'a"b', "a\n", "x" * 129):
        with pytest.raises(ValueError, match="is no permission"):
            permissions_of([wrong])


def test_what_is_too_long_is_not_looked_at() -> None:
    def shown(length: int) -> str:
        return presented(lambda name: ["a" * length] if name == "x-api-key" else []).credential

    assert len(shown(8192)) == 8192
    with pytest.raises(NotAdmitted, match="malformed"):
        shown(8193)


def nested(depth: int) -> bytes:
    return b'{"a":' + b"[" * depth + b"]" * depth + b"}"


def many(count: int) -> bytes:
    return json.dumps({f"m{number}": 0 for number in range(count)}).encode()


@pytest.mark.parametrize(
    ("text", "sound"),
    [
        (b'{"a":1,"b":[{"a":null},{"a":true}],"c":"x"}', True),
        (b' {"a":-1.5e3, "b" : "a", "c":{"d":"\\\\"} } ', True),
        (b'{"a":"a","b":["a","a"]}', True),
        (b'{"a":1,"a":1}', False),
        (b'{"a":1,"\\u0061":2}', False),
        (b'{"b":[{"c":{"a":1,"a":2}}]}', False),
        (b'{"a":1}{"a":1}', False),
        (b"\xef\xbb\xbf{}", False),
        (b'{"a":"\xff"}', False),
        (b'{"a":"\\ud800"}', False),
        (b'{"a":"\\ud83d\\ude00"}', True),
        (b'{"a":NaN}', False),
        (b'{"a":' + b"9" * 5000 + b"}", False),
        (b"", False),
        (b"[1]", False),
        (b"null", False),
        (b'{"a":' + b"[" * 100_000, False),
        (nested(100_000), False),
        (nested(100), True),
        (many(100), True),
        (many(101), False),
    ],
)
def test_what_says_something_twice_is_refused_at_any_depth(text: bytes, sound: bool) -> None:
    assert (read_object(text) is not None) == sound


def test_there_is_one_way_to_write_bytes() -> None:
    assert decoded("-_8") == b"\xfb\xff"
    for wrong in ("-_8=", "+/8", "-_9", "-_8\n", " -_8", "-", "-_8-_", "é", 7):
        assert decoded(wrong) is None, wrong


def test_addresses_of_proofs_are_compared_in_one_way_of_writing() -> None:
    url = "https://api.acme.test/invoices"
    for same in (f"{url}?a=b#c", "HTTPS://API.acme.TEST:443/invoices", "https://api.acme.test/a/../%69nvoices"):
        assert proof_url(same) == url, same
    assert proof_url("https://api.acme.test/caf%c3%a9/%7Eme") == "https://api.acme.test/caf%C3%A9/~me"
    assert proof_url("http://api.acme.test") == proof_url("http://api.acme.test:80/")
    others = ("https://api.acme.test//invoices", "https://api.acme.test/x%2finvoices", "http://api.acme.test/invoices")
    for other in (f"{url}/", *others):
        assert proof_url(other) not in (url, None), other
    assert proof_url("https://api.acme.test/a/./b/..") == "https://api.acme.test/a/"
    nowhere = ("", "/x", f" {url}", "https://a.test\\x", "https://me@a.test/", "ftp://a.test/")
    for none in (*nowhere, "https://a.test/%6", "https://a.test/é", "https://", "https://[::1", "https://a.test:x/", "https:x"):
        assert proof_url(none) is None, none


def ed25519(key: str) -> dict[str, object]:
    text = base64.urlsafe_b64encode(bytes.fromhex(key.ljust(64, "0"))).decode().rstrip("=")
    return {"kty": "OKP", "crv": "Ed25519", "x": text}


def test_keys_that_are_not_for_signatures_secret_or_no_points_are_left_out() -> None:
    purpose = {"use": "sig", "alg": "ES256", "key_ops": ["verify"], "kid": "x", "x5c": 7}
    assert read_key(P256) is not None and read_key({**P256, **purpose}) is not None and read_key(ed25519(ED25519)) is not None
    wrong: list[dict[str, Any]] = [{"use": "enc"}, {"alg": "RS256"}, {"alg": None}, {"key_ops": []}, {"kid": 7}, {"d": "AQAB"}]
    for more in [*wrong, {"crv": "P-384"}, {"y": P256["x"]}, {"x": 7}]:
        assert read_key({**P256, **more}) is None, more
    order_8 = "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85"
    for small in ("01", "ec" + "ff" * 30 + "7f", "ed" + "ff" * 30 + "7f", order_8):
        assert read_key(ed25519(small)) is None, small
    modulus = base64.urlsafe_b64encode(b"\xff" * 256).decode().rstrip("=")
    assert read_key({"kty": "RSA", "n": modulus, "e": "AQAB"}) is not None
    assert read_key({"kty": "RSA", "n": modulus, "e": "AQ"}) is None
    assert read_key({"kty": "RSA", "n": modulus[4:], "e": "AQAB"}) is None

    for jwk in (P256, ed25519(ED25519), {"kty": "RSA", "n": modulus, "e": "AQAB"}):
        key = read_key(jwk)
        assert key is not None and not any(key.verifies(b"x", signature) for signature in (b"", b"x", b"x" * 64, b"x" * 1000))

    def keys(*listed: object) -> Any:
        return read_keys(json.dumps({"keys": listed}).encode())

    one = {**P256, "kid": "1"}
    assert list(keys(one, one, {**P256, "kid": "2"}, {"kty": "oct", "kid": "3"})) == ["2"]
    assert are_same_keys(keys(one), keys(one)) and not are_same_keys(keys(one), keys({**ed25519(ED25519), "kid": "1"}))
    for none in (b"[]", b"{}", b'{"keys":{}}', b'{"keys":[7]}', b"x"):
        assert read_keys(none) is None, none


def test_an_event_may_come_in_any_pieces_and_what_is_none_ends_the_connection() -> None:
    change = {"sequence": 4, "kind": "credential", "id": KEY}
    data = json.dumps({"reset": True, "next": "1.é.", "position": 3, "changes": [change]})
    received = f": hello\n\nid: x\nevent: changes\ndata: {data}\n\n".encode()
    for length in (1, 2, 3, 7, 64, len(received)):
        events = Events()
        read = [each for at in range(0, len(received), length) for each in events.take(received[at : at + length])]
        assert read == [Message(True, "1.é.", 3, False, [Change(4, KEY, False)])]
    wrong = (b'{"reset":', b"[]", b"\xff", b"[" * 100_000, b'{"reset":1,"next":"","position":1,"changes":[]}')
    for pieces in (*(b"data: " + text + b"\n\n" for text in wrong), b"x" * ((16 << 20) + 1)):
        with pytest.raises(NoMessage):
            Events().take(pieces)


def test_names_are_withheld_from_the_first_message_that_says_so_until_one_that_does_not() -> None:
    names = Names()
    for more, now, since in ((False, 0.0, None), (True, 1.0, 1.0), (True, 9.0, 1.0), (False, 10.0, None)):
        names.take(Message(False, "", 2, more, []), now)
        assert names.withheld_since == since


def test_a_name_is_forgotten_after_everything_that_it_voids() -> None:
    names = Names()
    names.take(message(True, 1, (2, KEY)), 0)
    names.take(message(False, 2), REMEMBERED - 0.001)
    assert not names.hold(Place(1, 1), [KEY])
    names.take(message(False, 2), REMEMBERED)
    assert not names.know_since(Place(1, 1)), "what was asked that long ago is not kept any more"
    assert names.know_since(Place(1, 2)) and names.hold(Place(1, 2), [KEY])


def test_of_more_names_than_are_remembered_everything_is_void() -> None:
    names = Names()
    names.take(message(True, 0), 0)
    for part in range(6):
        first = part * 100_000 + 1
        names.take(message(False, first + 99_999, *((first + number, f"key_{first + number}") for number in range(100_000))), 0)
    assert not names.hold(Place(1, 99_999), ["key_x"]) and names.hold(Place(1, 100_000), ["key_x"])
    assert not names.hold(Place(1, 599_999), ["key_600000"]) and names.hold(Place(1, 600_000), ["key_600000"])
    assert not names.know_since(Place(1, 99_999)) and names.know_since(Place(1, 100_000))


def test_no_more_is_believed_of_a_position_than_was_told() -> None:
    for header, expected in (("3", 3), ("9", 5), (None, None), ("", None), ("1_0", None), ("9" * 30, None)):
        assert position_of(5, header) == expected


def found(objects: list[str] | None = None) -> Found:
    answer = read_answer(
        {
            **{"code": "valid", "permissions": [], "metadata": {}, "objects": objects},
            "credential": {
                **{"id": KEY, "kind": "api_key", "name": "x", "generation": "current"},
                **{"environment": "live", "expires_at": None},
            },
            "principal": {"id": ACCOUNT, "name": "x", "external_id": None},
            "organization": {"id": "org_01h2xcejqtf2nbrexx3vqjhp41", "slug": "x", "external_id": None},
        }
    )
    assert answer is not None and answer.found is not None
    return answer.found


def test_an_answer_that_a_change_overtook_is_not_kept_and_none_is_kept_for_longer_than_a_minute() -> None:
    opaque = Opaque(10)

    def keep(beginning: int, position: int, max_age: float = 60) -> None:
        opaque.keep("key", Entry(found(), Place(beginning, position)), max_age, 0)

    def is_known(at: float) -> bool:
        return opaque.known("key", at) is not None

    keep(0, 9)
    assert not is_known(0), "before the feed is heard"
    opaque.names.take(message(True, 10), 0)
    opaque.names.take(message(False, 12, (12, KEY)), 0)
    keep(1, 11)
    assert not is_known(0), "read before the change, and here after it"
    keep(1, 12)
    assert is_known(0) and is_known(59.9) and not is_known(60)
    keep(1, 12)
    opaque.names.take(message(False, 13, (13, ACCOUNT)), 0)
    assert not is_known(0)
    keep(1, 13, 540)
    assert is_known(59.9) and not is_known(60), "whatever the answer says"
    keep(1, 13)
    opaque.names.take(message(True, 13), 0)
    assert not is_known(0)
    opaque.keep_refusal("key", "unknown", 0)
    assert is_known(0.9) and not is_known(1)
    keep(2, 13)
    opaque.keep_refusal("key", "revoked", 0)
    assert opaque.known("key", 0) == Refused("revoked")
    assert not is_known(1), "a refusal is the end of what was known"
    keep(2, 13)
    for stranger in range(9999):
        opaque.keep_refusal(f"stranger {stranger}", "unknown", 0)
    assert is_known(0), "strangers push out nobody but each other"


@pytest.mark.parametrize(("objects", "is_for"), [(None, True), (["repo:acme/*"], True), (["repo:acme"], False)])
def test_who_is_for_some_objects_is_not_for_others(objects: list[str] | None, is_for: bool) -> None:
    assert Identity(found(objects)).is_for("repo:acme/site") == is_for


class Answering(Remote):
    """An instance that answers every question, and counts them."""

    questions = 0

    async def verify(self, question: Any) -> Told:
        self.questions += 1
        return Told(Answer("valid", found(), None, None), None, None)


def test_what_one_guard_proved_counts_for_a_request_that_shows_the_same_and_for_a_moment() -> None:
    pem = (Path(__file__).parents[3] / "crates/claviger-token/src/certificate/self_signed.pem").read_bytes()
    certificate = x509.load_pem_x509_certificate(pem).public_bytes(Encoding.DER)
    credential = "clv_key_000000000000000000000000000000001H8smx"
    shown = Use(client_ip="10.1.2.3", method="GET", path="/", dpop="proof", certificate=certificate)
    nowhere = "http://127.0.0.1:1"
    settings = Settings(issuer=nowhere, internal_address=nowhere, audience="urn:api", origin="https://api.acme.test")

    async def check() -> None:
        async with Claviger(settings) as claviger, Claviger(settings) as other:
            remote = claviger._remote = other._remote = Answering(settings)
            proved = (await claviger.check(credential, shown)).proved
            assert proved is not None

            async def asks(at: Claviger = claviger, presented: str = credential, **more: Any) -> bool:
                before = remote.questions
                assert (await at.check(presented, replace(shown, **{"proved": proved, **more}))).code == "valid"
                return remote.questions > before

            assert not await asks()
            assert not await asks(whatever_object=True)
            others: list[dict[str, Any]] = [{"client_ip": "10.1.2.4"}, {"client_ip": None}, {"method": "DELETE"}]
            for more in [*others, {"dpop": "other"}, {"dpop": None}, {"certificate": None}]:
                assert await asks(**more), more
            assert await asks(presented="acme_cs_zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz4FSCUX"), "another credential"
            assert await asks(other), "another instance"
            assert await asks(proved=replace(proved, at=proved.at - PROVED_FOR)), "long ago"
            await remote.close()

    asyncio.run(asyncio.wait_for(check(), SOON))


def test_what_is_not_awaited_is_not_taken_for_an_answer() -> None:
    async def later() -> str:
        return "10.1.2.3"

    async def check() -> None:
        claviger = Claviger(Settings(issuer="https://a.test", internal_address="http://b.test", audience="c"))
        for name in ("objects", "client_ip", "method", "path", "dpop", "certificate"):
            told: Any = later()
            with pytest.raises(TypeError, match=f"{name} is awaitable: await it first"):
                await claviger.check("x", Use(**{name: told}))
            told.close()

    asyncio.run(check())


class Taking(Remote):
    """An instance that takes reports, or says with which status it does not; some it ignores."""

    def __init__(self, takes: Callable[[Any], int | None], ignored: Collection[str] = ()) -> None:
        self.takes = takes
        self.ignored = ignored
        self.reports: list[Any] = []

    async def report(self, report: Any) -> Collection[str]:
        status = self.takes(report)
        if status is not None:
            raise RemoteError("refused", status)
        self.reports.append(report)
        return self.ignored

    @property
    def uses(self) -> list[Any]:
        return [used for report in self.reports for used in report["uses"]]


def named(number: int) -> Found:
    return replace(found(), credential=f"key_{number}")


def test_uses_are_told_apart_by_verdict_and_hour_and_each_permission_is_counted() -> None:
    usage, remote = Usage(), Taking(lambda _: None)

    def at(second: int) -> datetime:
        return datetime.fromtimestamp(1_800_000_000 + second, UTC)

    usage.count(found(), "valid", ["a:read"], ip_address("192.0.2.1"), at(0))
    usage.count(found(), "valid", ["a:read", "a:write", "a:read"], None, at(1))
    usage.count(found(), "permission_missing", [], None, at(2))
    usage.count(found(), "valid", [], None, at(3600))
    asyncio.run(usage.report(remote))

    def told(code: str, count: int, second: int, **more: Any) -> Any:
        used = {"credential_id": KEY, "generation": "current", "code": code, "count": count, "permissions": []}
        return used | {"last_used_at": at(second).isoformat(), "last_used_from": None} | more

    permissions = [{"name": "a:read", "count": 2}, {"name": "a:write", "count": 1}]
    first = told("valid", 2, 1, permissions=permissions, last_used_from="192.0.2.1")
    assert remote.uses == [first, told("permission_missing", 1, 2), told("valid", 1, 3600)]
    assert usage.lost == 0


def test_a_report_is_no_longer_than_what_is_read_and_an_item_counts_no_more_than_is_taken() -> None:
    usage, remote, now = Usage(), Taking(lambda _: None), datetime.now(UTC)
    permissions = [f"{'a' * 50}:p{number}" for number in range(60)]
    for number in range(250):
        usage.count(named(number), "valid", permissions, None, now)
    facts = found()
    for use in range(1_000_001):
        usage.count(facts, "valid", ["a:read", "a:write"] if use < 7 else ["a:read"], None, now)
    asyncio.run(usage.report(remote))
    assert all(len(json.dumps(report)) < 64 << 10 and len(report["uses"]) <= 100 for report in remote.reports)
    assert 250 * 50 * 60 / (48 << 10) < len(remote.reports) < 40
    assert len({report["id"] for report in remote.reports}) == len(remote.reports)
    assert all(len(used["permissions"]) <= 50 for used in remote.uses)
    large = [used for used in remote.uses if used["credential_id"] == KEY]
    counts = [(used["count"], *(permission["count"] for permission in used["permissions"])) for used in large]
    assert counts == [(1_000_000, 1_000_000, 7), (1, 1)]


def told(caplog: pytest.LogCaptureFixture) -> list[str]:
    """What was logged until now."""
    messages = [record.getMessage() for record in caplog.records if record.name == "claviger_verify"]
    caplog.clear()
    return messages


def test_one_use_that_is_refused_takes_no_other_with_it_and_is_told_to_be_lost(caplog: pytest.LogCaptureFixture) -> None:
    def takes(report: Any) -> int | None:
        counts = [used["count"] for used in report["uses"]]
        return 422 if 7 in counts else 413 if len(counts) > 4 else None

    usage, remote, now = Usage(), Taking(takes), datetime.now(UTC)
    for number in range(1, 12):
        for _ in range(number):
            usage.count(named(number), "valid", [], None, now)
    asyncio.run(usage.report(remote))
    assert [used["count"] for used in remote.uses] == [1, 2, 3, 4, 5, 6, 8, 9, 10, 11]
    assert (usage.lost, told(caplog)) == (7, ["uses are counted nowhere (7): a report was refused with status 422"])


def test_uses_of_credentials_that_nobody_has_are_lost(caplog: pytest.LogCaptureFixture) -> None:
    usage, remote, now = Usage(), Taking(lambda _: None, ["key_2", "key_3"]), datetime.now(UTC)
    for number in range(1, 5):
        for _ in range(number):
            usage.count(named(number), "valid", [], None, now)
    asyncio.run(usage.report(remote))
    assert (usage.lost, told(caplog)) == (5, ["uses are counted nowhere (5): nobody has their credentials"])


class Late(Remote):
    """An instance that answers when it is told to."""

    def __init__(self) -> None:
        self.answered = asyncio.Event()

    async def report(self, report: Any) -> Collection[str]:
        await self.answered.wait()
        return [used["credential_id"] for used in report["uses"]]


def test_the_end_does_not_wait_for_long_and_tells_what_is_lost(caplog: pytest.LogCaptureFixture) -> None:
    async def check() -> None:
        usage, remote, now = Usage(), Late(), datetime.now(UTC)
        async with usage.running(remote, 0.05):
            for number in range(150):
                usage.count(named(number), "valid", [], None, now)
            reporting = asyncio.create_task(usage.report(remote))
            await asyncio.sleep(0)
            usage.count(found(), "valid", [], None, now)
        lost = "uses are counted nowhere (151): they were not taken before the end"
        assert (usage.lost, told(caplog)) == (151, [lost])
        remote.answered.set()
        await reporting
        assert (usage.lost, told(caplog)) == (151, []), "once"

    asyncio.run(asyncio.wait_for(check(), 5))


def test_reports_are_made_one_by_one_so_that_nobody_is_held_up_by_all_of_them() -> None:
    moments: list[float] = []

    def takes(_: Any) -> None:
        moments.append(time.process_time())

    usage, remote, now = Usage(), Taking(takes), datetime.now(UTC)
    permissions = [f"{'a' * 50}:p{number}" for number in range(2)]
    for number in range(50_000):
        usage.count(named(number), "valid", permissions, None, now)
    began = time.process_time()
    asyncio.run(usage.report(remote))
    first, last = moments[0] - began, moments[-1] - began
    assert len(moments) >= 500 and first < last / 5, f"{first} of {last} s before the first of {len(moments)}"


def test_what_is_not_taken_waits_in_the_same_words_and_not_without_end(caplog: pytest.LogCaptureFixture) -> None:
    seen: list[str] = []
    status: int | None = None

    def takes(report: Any) -> int | None:
        seen.append(report["id"])
        return status

    async def check() -> None:
        nonlocal status
        usage, remote, now = Usage(), Taking(takes), datetime.now(UTC)
        async with usage.running(remote, SOON):
            usage.count(found(), "valid", [], None, now)
            for status in (503, 401, None):
                await usage.report(remote)
            assert (len(set(seen)), len(seen), len(remote.uses), usage.lost) == (1, 3, 1, 0)
            status = 500
            for _ in range(502):
                usage.count(found(), "valid", [], None, now)
                await usage.report(remote)
            assert usage.lost == 0, "they are counted together"
            for number in range(50_003):
                usage.count(named(number), "valid", [], None, now)
            assert usage.lost == 4, "no more are counted between two reports"
        assert usage.lost == 502 + 50_003, "and nobody is there at the end"
        for _ in range(2):
            usage.count(found(), "valid", [], None, now)
        assert usage.lost == 502 + 50_005, "nor after it"
        assert told(caplog) == [
            "uses are counted nowhere: the instance was not told of others for too long",
            f"uses are counted nowhere ({502 + 50_003 - 4}): they were not taken before the end",
            "uses are counted nowhere: it is closed",
        ]

    asyncio.run(check())


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 408, 413, 421, 425, 429])
def test_what_a_proxy_says_loses_no_report_and_what_is_refused_for_good_does_not_wait(status: int) -> None:
    said: list[int] = [status]
    usage, remote = Usage(), Taking(lambda _: said.pop() if said else None)
    usage.count(found(), "valid", [], None, datetime.now(UTC))
    asyncio.run(usage.report(remote))
    assert usage.lost == (1 if status in (400, 405, 413) else 0)
    asyncio.run(usage.report(remote))
    assert len(remote.uses) == 1 - usage.lost


@pytest.mark.parametrize("status", [None, 503])
def test_however_many_reports_there_are_none_is_lost(status: int | None) -> None:
    usage, remote, now = Usage(), Taking(lambda _: status), datetime.now(UTC)
    permissions = [f"{'a' * 120}:p{number}" for number in range(50)]
    for number in range(3500):
        usage.count(named(number), "valid", permissions, None, now)
    asyncio.run(usage.report(remote))
    assert len(remote.uses) == (3500 if status is None else 0)
    assert usage.lost == 0


def test_no_more_is_kept_than_was_chosen() -> None:
    bounded: Bounded[str] = Bounded(2)
    for key in ("a", "b", "a", "c"):
        if bounded.get(key) is None:
            bounded.set(key, key)
    assert [bounded.get(key) for key in ("a", "b", "c")] == ["a", None, "c"]


def test_what_ended_is_remembered_for_longer_than_any_token_whatever_documents_say_later() -> None:
    ended, minute = Ended(), timedelta(minutes=1)

    def is_dead(epoch: int, token: str | None) -> bool:
        return ended.has_ended(replace(found(), epoch=epoch, token=token))

    ended.take(Document([(KEY, 4)], ["at_1"]), NOW)
    ended.take(Document([(KEY, 2)], []), NOW + minute)
    assert is_dead(3, None) and not is_dead(4, None) and is_dead(4, "at_1") and not is_dead(4, "at_2")
    ended.take(Document([], []), NOW + 65 * minute)
    assert is_dead(3, None) and not is_dead(4, "at_1")
    ended.take(Document([], []), NOW + 66 * minute)
    assert not is_dead(3, None)


def test_a_hundred_thousand_that_ended_at_once_are_read() -> None:
    holder = ec.generate_private_key(ec.SECP256R1())
    public: Any = jwt.get_algorithm_by_name("ES256").to_jwk(holder.public_key(), as_dict=True)
    keys = read_keys(json.dumps({"keys": [{**public, "kid": "1"}]}).encode())
    names = [f"key_01h2xcejqtf2nbrexx3{number:07}" for number in range(100_000)]
    revocations = {"credentials": [{"cred": name, "min_epoch": 2} for name in names], "tokens": []}
    claims = {"iss": "https://a.test", "iat": 1_800_000_000, "exp": 1_800_003_600, "ttl": 1, "revocations": revocations}
    text = jwt.encode(claims, holder, "ES256", headers={"typ": "revocations+jwt", "kid": "1"})
    assert keys is not None
    document, ended = read_ended(text, keys, "https://a.test", NOW), Ended()
    assert isinstance(document, Document) and len(document.credentials) == 100_000
    ended.take(document, NOW)
    assert ended.has_ended(replace(found(), credential=names[-1], epoch=1))
    assert read_ended(text[:-9], keys, "https://a.test", NOW) in ("malformed", "forged")
    assert read_ended(text, {}, "https://a.test", NOW) == "unknown_key"


def test_a_proof_counts_once_and_is_forgotten_at_its_end() -> None:
    replays, first = Replays(), Proof("t", "1", 1_800_000_060_000)
    assert replays.is_first(first, NOW) and not replays.is_first(first, NOW)
    assert replays.is_first(Proof("u", "1", first.ends_at), NOW) and replays.is_first(Proof("t", "2", first.ends_at), NOW)
    assert not replays.is_first(first, NOW + timedelta(seconds=59)) and replays.is_first(first, NOW + timedelta(seconds=60))


@pytest.mark.parametrize(("off", "expected"), [(0, 0), (2, 0), (-2, 0), (300, 300), (-300, -300)])
def test_a_clock_that_is_off_follows_the_instance(off: int, expected: int) -> None:
    clock = Clock()
    clock.was_told(formatdate(time.time() + off, usegmt=True))
    assert abs(clock.now().timestamp() - time.time() - expected) < 1.1


def test_what_says_no_time_changes_none() -> None:
    clock, heard = Clock(), Heard()
    for nothing in (None, "soon", "", "Fri, 99 Jan 2027 08:00:07 GMT"):
        clock.was_told(nothing)
    assert abs(clock.now().timestamp() - time.time()) < 0.1
    assert not heard.within(1e300)
    heard.now()
    assert heard.within(1)


def test_of_those_who_want_the_same_one_goes_after_the_other() -> None:
    turns, running = Turns(), 0

    async def work(fails: bool) -> None:
        nonlocal running
        async with turns.take("a"):
            running += 1
            assert running == 1
            await asyncio.sleep(0.002)
            running -= 1
            if fails:
                raise ValueError

    async def all_of_them() -> list[object]:
        return list(await asyncio.gather(*(work(number == 1) for number in range(5)), return_exceptions=True))

    assert [type(done) for done in asyncio.run(all_of_them())] == [type(None), ValueError, type(None), type(None), type(None)]
    assert not turns._locks
