"""Services of somebody else's, beside a real server: what they let through, and how fast that ends."""

import asyncio
import base64
import json
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Any

import jwt
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import Encoding
from fastapi import APIRouter, Depends, FastAPI, Header, Request
from instance import AUDIENCE, ISSUER, PROMISE, SOON, World, free_port, service, serving

from claviger_verify import Claviger, Identity, Use
from claviger_verify.fastapi import REFUSALS, following, require
from claviger_verify.token.key import read_key
from claviger_verify.token.text import digest


def test_a_service_refuses_what_was_revoked_within_two_seconds(world: World) -> None:
    url = service(world.start())
    key = world.key()
    world.becomes(url, key["token"], 200, SOON)
    (token, secret), (single, _), (narrow, _) = world.token(), world.token(), world.token("invoices:write")
    world.becomes(url, token, 200, SOON)
    world.becomes(url, single, 200, SOON)
    assert world.asked(url, narrow) == (403, "permission_missing")
    assert world.asked(url, f"{token[:-9]}x{token[-8:]}") == (401, "unknown")
    assert world.asked(url, "clv_key_nobodys") == (401, "unknown")

    world.made(f"/v1/api-keys/{key['id']}/revoke")
    world.becomes(url, key["token"], 401, PROMISE)
    world.revoke_secret(secret)
    world.becomes(url, token, 401, PROMISE)
    assert world.asked(url, token) == (401, "revoked")
    assert world.asked(url, single) == (200, "")
    headers = {"authorization": f"Bearer {single}"}
    assert world.http.delete(f"{world.instance.public}/v1/token", headers=headers).is_success
    world.becomes(url, single, 401, PROMISE)


def test_a_refusal_says_why_and_how_to_do_better(world: World) -> None:
    url = service(world.start())
    token = world.key(permissions=["invoices:write"])["token"]
    world.becomes(url, token, 403, SOON)
    response, realm = world.http.get(url, headers={"x-api-key": token}), f'Bearer realm="{ISSUER}"'
    told = [response.headers[name] for name in ("www-authenticate", "cache-control", "content-type")]
    assert told == [f'{realm}, error="insufficient_scope", scope="invoices:read"', "no-store", "application/problem+json"]
    detail = "The credential lacks a permission; ask an admin to grant it."
    assert response.json() == {"status": 403, "code": "permission_missing", "title": "Forbidden", "detail": detail}
    assert world.http.get(url).headers["www-authenticate"] == realm
    assert world.http.get(url, headers={"authorization": "Bearer x"}).status_code == 401
    two = [("authorization", f"Bearer {token}"), ("authorization", "Bearer x")]
    assert world.http.get(url, headers=two).json()["code"] == "ambiguous_credentials"


def test_without_problem_documents_a_refusal_has_the_same_status_and_headers(world: World) -> None:
    claviger = Claviger(world.start().settings())
    app = FastAPI(lifespan=following(claviger), dependencies=[require(claviger)])

    @app.get("/x")
    def x() -> str:
        return "x"

    response = world.http.get(f"{world.serve(app)}/x")
    assert (response.status_code, response.headers["x-claviger-code"]) == (401, "unauthenticated")
    assert response.headers["www-authenticate"] == f'Bearer realm="{ISSUER}"'


def test_a_kept_key_is_narrowed_with_whatever_it_came_from(world: World) -> None:
    url = service(world.start())
    wide, narrow = ["invoices:read", "invoices:write"], ["invoices:write"]
    cases: list[tuple[str, dict[str, Any], dict[str, Any], int]] = [
        ("/v1/api-keys/KEY", {"disabled": True}, {"disabled": False}, 401),
        ("/v1/api-keys/KEY", {"permissions": narrow}, {"permissions": wide}, 403),
        ("/v1/service-accounts/ACCOUNT", {"permissions": narrow}, {"permissions": wide}, 403),
        ("/v1/service-accounts/ACCOUNT", {"disabled": True}, {"disabled": False}, 401),
    ]
    for path, body, back, status in cases:
        key = world.key(permissions=wide)
        place = path.replace("KEY", key["id"]).replace("ACCOUNT", world.account)
        world.becomes(url, key["token"], 200, SOON)
        world.send("PATCH", place, **body)
        world.becomes(url, key["token"], status, PROMISE)
        world.send("PATCH", place, **back)
        world.becomes(url, key["token"], 200, PROMISE)


def test_a_key_that_is_limited_is_asked_about_every_time(world: World) -> None:
    url = service(world.start())
    token = world.key(rate_limits=[{"name": "default", "limit": 3, "window_seconds": 3600}])["token"]
    for _ in range(3):
        assert world.asked(url, token) == (200, "")
    response = world.http.get(url, headers={"authorization": f"Bearer {token}"})
    assert (response.status_code, response.headers["x-claviger-code"]) == (429, "rate_limited")
    assert int(response.headers["retry-after"]) > 0
    limits = [{"name": "default", "limit": 2, "window_seconds": 3600}]
    trial = world.key(rate_limits=limits, environment="test")["token"]
    for _ in range(3):
        assert world.asked(url, trial) == (401, "audience_mismatch")
    testing = service(world, test_too=True)
    assert [world.asked(testing, trial)[0] for _ in range(3)] == [200, 200, 429], "nothing else is spent"


def test_what_was_proved_counts_from_when_it_was_proved_first(world: World) -> None:
    token = world.start().key()["token"]

    async def use() -> None:
        async with Claviger(world.settings(keys_without_feed_seconds=30)) as claviger:
            while not claviger.is_followed:
                await asyncio.sleep(0.02)
            await claviger.check(token, Use())
            proved = (await claviger.check(token, Use())).proved
            assert proved is not None
            before = replace(proved, at=proved.at - 20)
            again = (await claviger.check(token, Use(proved=before))).proved
            assert again is not None
            assert again.at == before.at

    asyncio.run(asyncio.wait_for(use(), 30))


def test_what_a_service_judges_is_counted_once_also_if_it_ends_at_once(world: World) -> None:
    key, narrow = world.start().key(), world.key(permissions=["invoices:write"])
    trial, (token, secret) = world.key(environment="test"), world.token()

    async def use() -> int:
        # From memory, however busy the machine is: what the instance is asked about it counts itself.
        async with Claviger(world.settings(keys_without_feed_seconds=30, patience_seconds=10)) as claviger:
            while not claviger.is_followed:
                await asyncio.sleep(0.02)
            for _ in range(5):
                for credential in (key["token"], narrow["token"], trial["token"], token):
                    checked = await claviger.check(credential, Use(permissions="invoices:read"))
                    again = Use(permissions="invoices:read", proved=checked.proved)
                    if checked.proved is not None:
                        assert (await claviger.check(credential, again)).code == "valid"
        return claviger.uses_lost

    assert asyncio.run(asyncio.wait_for(use(), 30)) == 0
    # Getting a token is a use of its client's secret.
    expected = {
        key["id"]: ("valid", 5),
        narrow["id"]: ("permission_missing", 5),
        trial["id"]: ("audience_mismatch", 5),
        secret: ("valid", 6),
    }
    for credential, (code, uses) in expected.items():
        world.becomes_used(credential, code, uses)
    assert world.send("GET", f"/v1/api-keys/{key['id']}")["last_used_at"] is not None


def test_objects_networks_and_the_environment_hold_as_the_service_tells_them(world: World) -> None:
    def objects(request: Request) -> list[str]:
        return [f"base:{base}"] if (base := request.query_params.get("base")) else []

    def client_ip(request: Request) -> str | None:
        return request.headers.get("x-from")

    async def objects_later(request: Request) -> list[str]:
        return objects(request)

    async def client_ip_later(request: Request) -> str | None:
        return client_ip(request)

    plain = service(world.start())
    telling = service(world, objects=objects, client_ip=client_ip)
    later = service(world, objects=objects_later, client_ip=client_ip_later)
    token = world.key(objects=["base:app7", "base:acme/*"])["token"]
    for url in (telling, later):
        world.becomes(f"{url}?base=app7", token, 200, SOON)
        assert world.asked(f"{url}?base=app8", token) == (403, "object_not_allowed")
    assert world.asked(plain, token) == (403, "object_required")
    world.becomes(service(world, whatever_object=True), token, 200, SOON)
    assert world.asked(f"{telling}?base=acme/x", token) == (200, "")
    assert world.asked(f"{telling}?base=app8", token) == (403, "object_not_allowed")
    for base in ("*", "..", "acme/../x", "acme%252fx"):
        assert world.asked(f"{telling}?base={base}", token) == (400, "invalid_object"), base
    near = world.key(allowed_networks=["10.0.0.0/8"])["token"]
    world.becomes(plain, near, 403, SOON)
    places = {"10.1.2.3": (200, ""), "::ffff:10.1.2.3": (200, ""), "11.1.2.3": (403, "network_not_allowed")}
    for address, expected in places.items():
        for url in (telling, later):
            assert world.asked(url, near, x_from=address) == expected
    assert world.asked(telling, near, x_from="elsewhere") == (403, "network_not_allowed")
    trial = world.key(environment="test")["token"]
    assert world.asked(plain, trial) == (401, "audience_mismatch")
    assert world.asked(service(world, test_too=True), trial) == (200, "")


def test_behind_two_guards_a_limit_is_spent_and_a_proof_is_used_once(world: World) -> None:
    port = free_port()
    origin = f"http://127.0.0.1:{port}"
    claviger = Claviger(world.start().settings(origin=origin))
    app = FastAPI(lifespan=following(claviger), exception_handlers=REFUSALS)
    router = APIRouter(prefix="/v1", dependencies=[require(claviger, "invoices:read")])
    inner = FastAPI(exception_handlers=REFUSALS)
    guard = require(claviger, "invoices:read")

    def claims(request: Request, x_claviger_principal: Annotated[str | None, Header()] = None) -> Any:
        return x_claviger_principal or request.headers.get("x-claviger-principal")

    @router.get("/invoices")
    async def invoices(caller: Annotated[Identity, guard], claim: Annotated[Any, Depends(claims)]) -> Any:
        return {"may": caller.may("invoices:read"), "claims": claim}

    @inner.get("/invoices")
    async def mounted(caller: Annotated[Identity, guard]) -> str:
        return caller.kind

    app.include_router(router)
    app.mount("/below", inner)
    world.ends.enter_context(serving(app, port))
    url = f"{origin}/v1/invoices"
    limited = world.key(rate_limits=[{"name": "default", "limit": 3, "window_seconds": 3600}])["token"]
    world.becomes(url, world.key()["token"], 200, SOON)
    for _ in range(3):
        assert world.asked(url, limited) == (200, "")
    assert world.asked(url, limited)[0] == 429

    holder = ec.generate_private_key(ec.SECP256R1())
    public: Any = jwt.get_algorithm_by_name("ES256").to_jwk(holder.public_key(), as_dict=True)

    def proof(jti: str, method: str, address: str, token: str | None = None) -> str:
        said = {"jti": jti, "htm": method, "htu": address, "iat": int(time.time())} | ({"ath": digest(token)} if token else {})
        return jwt.encode(said, holder, "ES256", headers={"typ": "dpop+jwt", "jwk": public})

    token, _ = world.token(dpop=proof("1", "POST", f"{ISSUER}/oauth/token"))

    def get(address: str, shown: str) -> Any:
        headers = {"authorization": f"DPoP {token}", "dpop": shown, "x-claviger-principal": "root"}
        response = world.http.get(address, headers=headers)
        return response.status_code, response.json()

    first = proof("2", "GET", url, token)
    assert get(url, first) == (200, {"may": True, "claims": None})
    status, problem = get(url, first)
    assert (status, problem["code"]) == (401, "proof_invalid"), "it counts once"
    assert get(url, proof("3", "GET", url, token))[0] == 200
    assert get(url, proof("4", "GET", f"{origin}/invoices", token))[0] == 401
    assert world.asked(url, token) == (401, "proof_required")
    below = f"{origin}/below/invoices"
    assert get(below, proof("5", "GET", below, token)) == (200, "access_token")


def test_a_key_that_is_bound_is_asked_about_with_what_was_shown_every_time(world: World) -> None:
    pem = (Path(__file__).parents[3] / "crates/claviger-token/src/certificate/self_signed.pem").read_text()
    der = x509.load_pem_x509_certificate(pem.encode()).public_bytes(Encoding.DER)

    def certificate(request: Request) -> bytes | None:
        shown = request.headers.get("x-shown")
        return None if shown is None else base64.b64decode(shown)

    url = service(world.start(), certificate=certificate)
    token = world.key(client_certificate=pem)["token"]
    world.becomes(url, world.key()["token"], 200, SOON)
    for _ in range(2):
        assert world.asked(url, token) == (401, "proof_required")
        assert world.asked(url, token, x_shown=base64.b64encode(der).decode()) == (200, "")
        assert world.asked(url, token, x_shown="AAAA") == (401, "proof_invalid")

    origin = "http://127.0.0.1:7430"
    holder = ed25519.Ed25519PrivateKey.generate()
    public: Any = jwt.get_algorithm_by_name("EdDSA").to_jwk(holder.public_key(), as_dict=True)
    key = read_key(public)
    assert key is not None
    bound = world.key(dpop_jkt=key.thumbprint)

    def use(jti: str) -> Use:
        said = {"jti": jti, "htm": "GET", "htu": f"{origin}/invoices", "iat": int(time.time()), "ath": digest(bound["token"])}
        dpop = jwt.encode(said, holder, "EdDSA", headers={"typ": "dpop+jwt", "jwk": public})
        return Use(method="GET", path="/invoices", dpop=dpop, permissions=["invoices:read"])

    async def checks() -> list[str]:
        async with Claviger(world.settings(origin=origin)) as proving, Claviger(world.settings()) as plain:
            uses = [use("1"), use("2"), use("2"), Use()]
            codes = [(await proving.check(bound["token"], each)).code for each in uses]
            return [*codes, (await plain.check(bound["token"], use("3"))).code]

    # It counts once; and without an address no proof does.
    assert asyncio.run(checks()) == ["valid", "valid", "proof_invalid", "proof_required", "proof_invalid"]


def test_whoever_asks_without_a_request_is_told_the_same(world: World) -> None:
    world.becomes(service(world.start()), world.key()["token"], 200, SOON)
    key, (token, _) = world.key(objects=["repo:acme/*"])["token"], world.token()
    trial = world.key(environment="test")["token"]
    once = [{"name": "default", "limit": 1, "window_seconds": 3600}]
    limited = world.key(environment="test", rate_limits=once)["token"]
    near, far = (world.key(allowed_networks=[network])["token"] for network in ("10.0.0.0/8", "::/0"))

    async def checks() -> None:
        async with Claviger(world.settings()) as claviger:

            async def check(credential: str, **asked: Any) -> str:
                return (await claviger.check(credential, Use(**asked))).code

            while not claviger.is_followed:
                await asyncio.sleep(0.02)
            assert await check(key, permissions="invoices:read", objects=["repo:acme/site"]) == "valid"
            for credential in (key, token):
                for name in ("repo:acme/../evil/site", "repo:acme/*", "repo:acme/..%2fevil", "repo:", "site", "", 7):
                    assert await check(credential, objects=[name]) == "invalid_object", name
                wrong: list[dict[str, Any]] = [{"permissions": ["invoices:*"]}, {"objects": "repo:acme/site"}, {"test_too": "no"}]
                for asked in wrong:
                    with pytest.raises(ValueError, match="is no permission|are a list|True or False"):
                        await check(credential, **asked)
            for credential in (trial, limited):
                assert await check(credential) == "audience_mismatch"
                assert await check(credential, test_too=True) == "valid"
            for _ in range(2):
                assert await check(near, client_ip="10.1.1.1") == "valid"
                assert await check(near, client_ip=ip_address("::ffff:a01:101")) == "valid"
                assert await check(far, client_ip="::1") == "valid"
                assert await check(far, client_ip=ip_address("::ffff:10.1.1.1")) == "network_not_allowed"
                for credential in (near, far):
                    assert await check(credential, client_ip="elsewhere") == "network_not_allowed"

    asyncio.run(asyncio.wait_for(checks(), 30))


def test_of_many_who_present_the_same_key_at_once_one_asks(world: World) -> None:
    url = service(world.start())
    token = world.key()["token"]
    world.becomes(url, world.key()["token"], 200, SOON)
    time.sleep(1)

    def verified() -> float:
        lines = world.http.get(f"{world.instance.internal}/metrics").text.splitlines()
        wanted = ("claviger_verdicts_total", "verify", '"valid"', "api_key")
        return next((float(line.split(" ")[-1]) for line in lines if all(part in line for part in wanted)), 0.0)

    before = verified()
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda _: world.asked(url, token)[0], range(50)))
    assert set(answers) == {200}
    assert verified() - before == 1


def test_an_internal_listener_that_wants_a_token_gets_it() -> None:
    wanted = "0123456789abcdef0123456789abcdef"
    world = World(CLAVIGER_INTERNAL_TOKEN=wanted)
    with world.ends:
        url, without = service(world.start(), {"internal_token": wanted}), service(world)
        token = world.key()["token"]
        world.becomes(url, token, 200, SOON)
        assert world.asked(without, token) == (503, "unavailable")
        world.becomes(without, world.token()[0], 200, SOON)


def test_hostile_texts_are_refused_and_harm_nobody_else(world: World) -> None:
    url = service(world.start())
    token, _ = world.token()
    world.becomes(url, token, 200, SOON)
    header, payload, signature = token.split(".")

    def part(value: object) -> str:
        text = value if isinstance(value, str) else json.dumps(value)
        return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")

    sound = json.loads(base64.urlsafe_b64decode(header + "=" * (-len(header) % 4)))

    def headed(**members: object) -> str:
        return f"{part({**sound, **members})}.{payload}.{signature}"

    nested = f'{{"a":{"[" * 900}{"]" * 900}}}'
    hostile = [
        *(headed(alg="none"), f"{part({**sound, 'alg': 'none'})}.{payload}.", headed(alg="HS256"), headed(alg=["ES256"])),
        *(headed(kid="../../../../etc/passwd"), headed(kid="__class__"), headed(kid=["x"]), headed(kid="x" * 300)),
        *(headed(jku="https://evil.test", kid="evil"), headed(crit=["exp"]), headed(typ="JWT"), headed(x="x" * 4000)),
        *(f"{header}.{part(text)}.{signature}" for text in ("x" * 5000, nested)),
        f"{part(nested)}.{payload}.{signature}",
        *(f"{token}.{signature}", "eyJ.", "eyJ..", "eyJ" + "." * 8000, f"{part('{')}.{payload}.{signature}"),
        f"{part({**sound, 'kid': chr(0xD800)})}.{payload}.{signature}",
    ]
    for text in hostile:
        assert world.asked(url, text)[0] == 401, text[:200]
    assert world.asked(url, "eyJ." + "x" * 9000)[0] == 401
    assert world.asked(url, token) == (200, "")


def test_a_guard_that_asks_for_what_cannot_be_is_refused_at_once() -> None:
    with pytest.raises(ValueError, match="no permission"):
        require(Claviger.__new__(Claviger), "invoices:*")
    assert AUDIENCE
