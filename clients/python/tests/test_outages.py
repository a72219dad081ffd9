"""Services of somebody else's, while the instance is away, or what stands between is bad: what they do not let through then."""

import asyncio
import base64
import json
import logging
import re
import ssl
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import jwt
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from instance import PROMISE, SOON, World, service
from spoiled import Cut, spoiled

from claviger_verify import Claviger, Use


def test_while_the_server_is_away_tokens_count_and_keys_do_not_for_long(world: World, caplog: pytest.LogCaptureFixture) -> None:
    url = service(world.start())
    key, (token, secret) = world.key(), world.token()
    for credential in (key["token"], token):
        world.becomes(url, credential, 200, SOON)
    world.instance.stop()
    world.becomes(url, key["token"], 503, 12, never=(401, 403))
    assert world.asked(url, token) == (200, "")
    time.sleep(1)
    told = [record for record in caplog.records if record.name == "claviger_verify" and record.levelno == logging.WARNING]
    assert 0 < len(told) <= 3
    world.instance.start()
    world.becomes(url, key["token"], 200, SOON, never=(401, 403))
    assert world.asked(url, token) == (200, "")
    world.made(f"/v1/api-keys/{key['id']}/revoke")
    world.becomes(url, key["token"], 401, PROMISE)
    world.revoke_secret(secret)
    world.becomes(url, token, 401, PROMISE)


class Failing(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        raise OSError("the disk is full")


def test_a_logger_that_fails_ends_nothing(world: World) -> None:
    url = service(world.start())
    key, (token, secret) = world.key(), world.token()
    logger, failing = logging.getLogger("claviger_verify"), Failing()
    logger.addHandler(failing)
    try:
        for credential in (key["token"], token):
            world.becomes(url, credential, 200, SOON)
        world.instance.stop()
        world.becomes(url, key["token"], 503, 12, never=(401, 403))
        time.sleep(1)
        world.instance.start()
        world.becomes(url, key["token"], 200, SOON, never=(401, 403))
        world.made(f"/v1/api-keys/{key['id']}/revoke")
        world.becomes(url, key["token"], 401, PROMISE)
        world.revoke_secret(secret)
        world.becomes(url, token, 401, PROMISE)
    finally:
        logger.removeHandler(failing)


def test_while_the_server_is_there_and_says_nothing_nobody_waits_for_long(world: World) -> None:
    url = service(world.start(), {"patience_seconds": 1})
    key, (token, _) = world.key()["token"], world.token()
    for credential in (key, token):
        world.becomes(url, credential, 200, SOON)
    with world.instance.silent():
        time.sleep(2.5)
        began = time.monotonic()
        with ThreadPoolExecutor(4) as pool:
            asked = [key, key, token, "clv_key_000000000000000000000000000000001H8smx"]
            answers = list(pool.map(lambda credential: world.asked(url, credential)[0], asked))
        assert answers == [503, 503, 200, 503]
        assert time.monotonic() - began < 2, "patience is a second"
    for credential in (key, token):
        world.becomes(url, credential, 200, SOON, never=(401, 403))


def test_a_service_that_starts_first_refuses_until_the_server_is_there(world: World) -> None:
    url = service(world)
    for credential in (world.root, "eyJhbGciOiJFUzI1NiJ9.e30.c2ln"):
        assert world.asked(url, credential) == (503, "unavailable"), "never as if it were wrong"
    world.start()
    began = time.monotonic()
    # The administrator's key is good, and not for this API.
    while world.asked(url, world.root)[1] != "audience_mismatch":
        assert time.monotonic() - began < SOON
        time.sleep(0.05)


def cut(event: bytes, number: int) -> bytes:
    if number > 4:
        raise Cut
    return event


def swapped() -> Callable[[bytes, int], bytes]:
    held = b""

    def spoil(event: bytes, _: int) -> bytes:
        nonlocal held
        before, held = held, event if held == b"" else b""
        return b": held\n\n" if before == b"" else event + before

    return spoil


def rewound() -> Callable[[bytes, int], bytes]:
    seen: list[bytes] = []

    def spoil(event: bytes, number: int) -> bytes:
        seen.append(event)
        return seen[1] + seen[-4] + event if number % 4 == 0 else event

    return spoil


@pytest.mark.parametrize(
    ("spoil", "forgets"),
    [(cut, False), (lambda event, _: event + event, False), (swapped(), False), (rewound(), False), (cut, True)],
    ids=["cut in the middle of a message", "twice", "in another order", "again from its beginning", "without where it was"],
)
def test_whatever_happens_to_the_change_feed_a_revoked_key_is_refused(
    world: World, spoil: Callable[[bytes, int], bytes], forgets: bool
) -> None:
    world.start()
    url = service(world, {"internal_address": world.ends.enter_context(spoiled(world.instance.internal, spoil, forgets=forgets))})
    for pause in (0, 0.4):
        key = world.key()
        world.becomes(url, key["token"], 200, SOON)
        time.sleep(pause)
        world.made(f"/v1/api-keys/{key['id']}/revoke")
        world.becomes(url, key["token"], 401, PROMISE)
        for _ in range(20):
            assert world.asked(url, key["token"])[0] != 200
            time.sleep(0.02)


def test_an_answer_that_a_revocation_overtook_on_its_way_lets_nobody_through(world: World) -> None:
    released = threading.Event()
    released.set()

    def hold(path: str) -> None:
        if path == "/v1/verify":
            released.wait(5)

    world.start()
    url = service(world, {"internal_address": world.ends.enter_context(spoiled(world.instance.internal, hold=hold))})
    world.becomes(url, world.key()["token"], 200, SOON)
    key = world.key()
    time.sleep(0.5)
    released.clear()
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(world.asked, url, key["token"])
        time.sleep(0.3)
        world.made(f"/v1/api-keys/{key['id']}/revoke")
        time.sleep(0.7)
        released.set()
        assert first.result() == (401, "revoked"), "it was true when it was read"
    assert world.asked(url, key["token"]) == (401, "revoked")


def authority(directory: Path) -> Path:
    """A certificate of nobody's for this machine, with its key in the same file."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    made = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    made = made.serial_number(1).not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))
    made = made.add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
    made = made.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    file = directory / "authority.pem"
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    file.write_bytes(private + made.sign(key, SHA256()).public_bytes(Encoding.PEM))
    return file


def test_an_instance_behind_a_private_authority_is_believed_by_whoever_is_given_that(world: World, tmp_path: Path) -> None:
    certificate = authority(tmp_path)
    own = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    own.load_cert_chain(certificate)
    instance = world.start().instance
    places = {
        "internal_address": world.ends.enter_context(spoiled(instance.internal, tls=own)),
        "public_address": world.ends.enter_context(spoiled(instance.public, tls=own)),
    }
    context = ssl.create_default_context(cafile=certificate)
    url, without = service(world, {**places, "ssl_context": context}), service(world, places)
    key, (token, _) = world.key(), world.token()
    for credential in (key["token"], token):
        world.becomes(url, credential, 200, SOON)
        assert world.asked(without, credential) == (503, "unavailable")
    world.made(f"/v1/api-keys/{key['id']}/revoke")
    world.becomes(url, key["token"], 401, PROMISE)


def test_uses_that_are_judged_while_the_server_is_away_are_told_when_it_is_back(world: World) -> None:
    key = world.start().key()

    async def use() -> int:
        async with Claviger(world.settings(keys_without_feed_seconds=30)) as claviger:
            while not claviger.is_followed:
                await asyncio.sleep(0.02)

            async def check() -> None:
                assert (await claviger.check(key["token"], Use())).code == "valid"

            await check()
            await asyncio.to_thread(world.instance.stop)
            await check()
            await claviger.report_uses()
            await check()
            await asyncio.to_thread(world.instance.start)
        return claviger.uses_lost

    assert asyncio.run(asyncio.wait_for(use(), 60)) == 0
    world.becomes_used(key["id"], "valid", 3)


def test_the_end_does_not_wait_for_an_instance_that_takes_no_uses(world: World) -> None:
    released = threading.Event()

    def hold(path: str) -> None:
        if path == "/v1/usage-reports":
            released.wait(30)

    key = world.start().key()
    internal = world.ends.enter_context(spoiled(world.instance.internal, hold=hold))
    world.ends.callback(released.set)
    more = {"keys_without_feed_seconds": 30, "patience_seconds": 10, "close_seconds": 0.5}

    async def use() -> tuple[int, float]:
        async with Claviger(world.settings(internal_address=internal, **more)) as claviger:
            while not claviger.is_followed:
                await asyncio.sleep(0.02)
            assert (await claviger.check(key["token"], Use())).code == "valid"
            began = time.monotonic()
        return claviger.uses_lost, time.monotonic() - began

    lost, took = asyncio.run(asyncio.wait_for(use(), 60))
    assert lost == 1 and took < 5


@pytest.mark.parametrize("is_silent", [True, False])
def test_while_keys_cannot_be_read_a_token_of_one_that_is_not_known_is_not_wrong(world: World, is_silent: bool) -> None:
    is_broken = threading.Event()

    def hold(path: str) -> None:
        if path == "/.well-known/jwks.json" and is_silent and is_broken.is_set():
            time.sleep(1.5)

    def change(answer: bytes, path: str) -> bytes:
        return b'{"keys":7}' if path == "/.well-known/jwks.json" and is_broken.is_set() else answer

    world.start()
    public = world.ends.enter_context(spoiled(world.instance.public, hold=hold, change=change))
    url = service(world, {"public_address": public, "patience_seconds": 1})
    token, _ = world.token()
    world.becomes(url, token, 200, SOON)
    header, payload, signature = token.split(".")
    members = {**json.loads(base64.urlsafe_b64decode(header + "=" * (-len(header) % 4))), "kid": "skey_new"}
    other = f"{base64.urlsafe_b64encode(json.dumps(members).encode()).decode().rstrip('=')}.{payload}.{signature}"
    assert world.asked(url, other) == (401, "unknown")
    is_broken.set()
    time.sleep(5)
    for _ in range(3):
        assert world.asked(url, other) == (503, "unavailable")
    assert world.asked(url, token) == (200, "")
    is_broken.clear()
    world.becomes(url, other, 401, SOON)


def test_those_who_present_the_same_key_wait_for_one_answer_also_if_none_may_be_kept(world: World) -> None:
    def hold(path: str) -> None:
        if path == "/v1/verify":
            time.sleep(0.3)

    def change(answer: bytes, _: str) -> bytes:
        return re.sub(rb'"max_age_seconds":\d+', b'"max_age_seconds":0', answer)

    internal = world.ends.enter_context(spoiled(world.start().instance.internal, hold=hold, change=change))
    url = service(world, {"internal_address": internal, "patience_seconds": 5})
    token = world.key()["token"]
    world.becomes(url, token, 200, SOON)
    with ThreadPoolExecutor(30) as pool:
        for pause in (0, 1.5):
            time.sleep(pause)
            answers = list(pool.map(lambda _: world.asked(url, token), range(30)))
            assert set(answers) == {(200, "")}


def test_whoever_presents_unknown_keys_cannot_make_us_ask_for_keys(world: World) -> None:
    read: list[str] = []
    world.start()
    url = service(world, {"public_address": world.ends.enter_context(spoiled(world.instance.public, hold=read.append))})
    token, _ = world.token()
    world.becomes(url, token, 200, SOON)
    time.sleep(2)
    header, payload, signature = token.split(".")
    sound = json.loads(base64.urlsafe_b64decode(header + "=" * (-len(header) % 4)))
    read.clear()
    for number in range(50):
        named = base64.urlsafe_b64encode(json.dumps({**sound, "kid": f"skey_{number}"}).encode()).decode().rstrip("=")
        assert world.asked(url, f"{named}.{payload}.{signature}") == (401, "unknown")
    assert len([path for path in read if path.startswith("/.well-known/jwks.json")]) <= 1
    assert world.asked(url, token) == (200, "")


@pytest.mark.parametrize("off", [-300, 300])
def test_a_service_whose_clock_is_off_by_five_minutes_follows_that_of_the_instance(
    world: World, monkeypatch: pytest.MonkeyPatch, off: int
) -> None:
    world.start()
    real = time.time
    with monkeypatch.context() as patched:
        patched.setattr("claviger_verify.instance.clock.time.time", lambda: real() + off)
        url = service(world)
    key, (token, secret) = world.key(), world.token()
    world.becomes(url, key["token"], 200, SOON)
    world.becomes(url, token, 200, SOON)
    world.made(f"/v1/api-keys/{key['id']}/revoke")
    world.becomes(url, key["token"], 401, PROMISE)
    world.revoke_secret(secret)
    world.becomes(url, token, 401, PROMISE)


def test_tokens_of_a_new_signing_key_count_and_those_of_one_that_was_withdrawn_do_not(world: World) -> None:
    url = service(world.start())
    token, _ = world.token()
    world.becomes(url, token, 200, SOON)
    world.made("/v1/signing-keys/rotate", emergency=True)
    began = time.monotonic()
    while True:
        assert time.monotonic() - began < SOON
        other, _ = world.token()
        if jwt.get_unverified_header(other)["kid"] != jwt.get_unverified_header(token)["kid"]:
            break
    world.becomes(url, other, 200, SOON)
    world.becomes(url, token, 401, SOON)
