"""`vectors/` at the repository's root: cases that the judges of every language share.

Each says all that a verdict depends on, the time included, and the code that is expected.
"""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from claviger_verify.guard import NotAdmitted, Presented, presented
from claviger_verify.guard import refusal_of as told
from claviger_verify.token.answer import read_answer
from claviger_verify.token.dpop import check_proof
from claviger_verify.token.ended import Document, Ended, read_ended
from claviger_verify.token.feed import Events, Names, Place
from claviger_verify.token.found import INVALID, Shown
from claviger_verify.token.judge import Asked, judge, read_token, refusal_of
from claviger_verify.token.key import read_keys
from claviger_verify.token.network import read_address
from claviger_verify.token.opaque import is_well_formed

VECTORS = Path(__file__).parents[3] / "vectors"


def read(name: str) -> Any:
    return json.loads((VECTORS / f"{name}.json").read_text())


def cases(name: str) -> list[Any]:
    return [pytest.param(case, id=case["name"]) for case in read(name)["cases"]]


def asked(use: dict[str, Any], credential: str, now: datetime) -> Asked:
    """What a request asks for and shows."""
    use = dict(use)
    dpop, certificate = use.pop("dpop"), use.pop("certificate")
    key = None
    if dpop is not None:
        proof = check_proof(dpop["proof"], dpop["method"], dpop["url"], credential, now)
        key = INVALID if proof is None else Shown(proof.thumbprint)
    address = use.pop("client_ip")
    client_ip = None if address is None else read_address(address)
    return Asked(**use, client_ip=client_ip, key=key, certificate=None if certificate is None else Shown(certificate))


TOKENS = read("access-tokens")
KEYS = read_keys(json.dumps(TOKENS["keys"]).encode())


@pytest.mark.parametrize("case", cases("access-tokens"))
def test_a_token_is_judged_as_the_vectors_say(case: dict[str, Any]) -> None:
    assert KEYS is not None
    now, ended = datetime.fromtimestamp(case["now"], UTC), Ended()
    for text in case["revocations"]:
        document = read_ended(text, KEYS, TOKENS["issuer"], now)
        if isinstance(document, Document):
            ended.take(document, now)
    found = read_token(case["token"], KEYS, TOKENS["issuer"], now)
    if isinstance(found, str):
        code = refusal_of(found)
    else:
        code = judge(found, ended.has_ended, asked(case["use"], case["token"], now), now)
    assert code == case["expected"]


@pytest.mark.parametrize("case", cases("verify-answers"))
def test_a_kept_answer_is_judged_as_the_vectors_say(case: dict[str, Any]) -> None:
    answer = read_answer(case["answer"])
    assert (answer is not None) == case.get("is_answer", True)
    assert (answer is not None and answer.max_age is not None) == case["cacheable"]
    now, code = datetime.fromtimestamp(case["now"], UTC), None
    if answer is not None and case["cacheable"] and answer.found is not None:
        code = judge(answer.found, lambda _: False, asked(case["use"], "", now), now)
    assert code == case["expected"]


@pytest.mark.parametrize("case", cases("change-feed"))
def test_every_change_voids_what_the_vectors_say(case: dict[str, Any]) -> None:
    events, names = Events(), Names()
    for piece in case["received"]:
        for message in events.take(piece.encode()):
            names.take(message, 1.0)
    assert (names.withheld_since is None) == case.get("tells_all", True)
    for kept in case["kept"]:
        place = Place(kept["beginning"], kept["position"])
        assert names.know_since(place) == kept["may_be_kept"]
        concerned = [kept["credential"], kept["principal"], kept["organization"]]
        assert names.hold(place, concerned) == kept["counts"]


@pytest.mark.parametrize("case", cases("opaque-texts"))
def test_an_opaque_text_is_read_as_the_vectors_say(case: dict[str, Any]) -> None:
    assert is_well_formed(case["text"]) == case["well_formed"]


REQUESTS = read("requests")


@pytest.mark.parametrize("case", cases("requests"))
def test_a_request_is_read_as_the_vectors_say(case: dict[str, Any]) -> None:
    def values(wanted: str) -> list[str]:
        return [value for name, value in case["headers"] if name == wanted]

    if case["refused"] is None:
        assert presented(values) == Presented(case["credential"], case["dpop"])
    else:
        with pytest.raises(NotAdmitted) as refused:
            presented(values)
        assert refused.value.code == case["refused"]


@pytest.mark.parametrize("case", REQUESTS["refusals"], ids=lambda case: case["code"])
def test_a_refusal_is_told_as_the_vectors_say(case: dict[str, Any]) -> None:
    refused = NotAdmitted(case["code"], case["retry_after_seconds"])
    refusal = told(refused, REQUESTS["issuer"], case["permissions"])
    headers = refusal.headers
    assert (refusal.status, headers["x-claviger-code"]) == (case["status"], case["told"])
    assert headers.get("www-authenticate") == case["www_authenticate"]
    assert (headers.get("retry-after"), headers["cache-control"]) == (case["retry_after"], "no-store")
    assert (refusal.problem["status"], refusal.problem["code"]) == (case["status"], case["told"])
