"""The real binary on a data directory of its own, an API with a service account, and a service that it protects."""

import base64
import os
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Annotated, Any, Self

import httpx
import uvicorn
from fastapi import FastAPI

from claviger_verify import Claviger, Identity, Settings
from claviger_verify.fastapi import REFUSALS, following, require

BINARY = os.environ.get("CLAVIGER_BINARY", str(Path(__file__).parents[3] / "target/debug/claviger"))
ISSUER = "https://keys.acme.test"
AUDIENCE = "https://api.acme.test"
# How long a revocation may take, and how long anything else, in seconds.
PROMISE = 2.0
SOON = 10.0


def free_port() -> int:
    """A port that is free, and stays so: not one of those that the system gives to whoever asks for any."""
    while True:
        port = random.randrange(20_000, 32_000)
        with socket.socket() as listener, suppress(OSError):
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(("127.0.0.1", port))
            return port


class Instance:
    """An instance: its directory, and a server that can be stopped and started again where it was."""

    def __init__(self, **settings: str) -> None:
        self.directory = tempfile.mkdtemp(prefix="claviger-python-")
        ports = (free_port(), free_port())
        own = {name: value for name, value in os.environ.items() if not name.startswith("CLAVIGER_")}
        listen = {"CLAVIGER_LISTEN": f"127.0.0.1:{ports[0]}", "CLAVIGER_INTERNAL_LISTEN": f"127.0.0.1:{ports[1]}"}
        self._environment = own | listen | settings
        self.public, self.internal = (f"http://127.0.0.1:{port}" for port in ports)
        self._server: subprocess.Popen[str] | None = None

    def said(self, *arguments: str) -> str:
        """What a command says that must succeed."""
        done = subprocess.run([BINARY, *arguments], cwd=self.directory, env=self._environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def start(self, *arguments: str) -> Path:
        """Starts the server, and waits until it answers. Returns where it prints."""
        printed, logged = Path(self.directory) / "printed", Path(self.directory) / "logged"
        with printed.open("w") as stdout, logged.open("w") as stderr:
            command = [BINARY, "serve", *arguments]
            self._server = subprocess.Popen(
                command, cwd=self.directory, env=self._environment, stdout=stdout, stderr=stderr, text=True
            )
        began = time.monotonic()
        while True:
            assert self._server.poll() is None, logged.read_text()
            assert time.monotonic() - began < 3 * SOON, logged.read_text()
            with suppress(httpx.HTTPError):
                if httpx.get(f"{self.internal}/health/ready", trust_env=False).is_success:
                    return printed
            time.sleep(0.02)

    def stop(self) -> None:
        if self._server is not None:
            self._server.terminate()
            self._server.wait(30)
            self._server = None

    @contextmanager
    def silent(self) -> Iterator[None]:
        """The server is there, and says nothing meanwhile."""
        assert self._server is not None
        self._server.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self._server.send_signal(signal.SIGCONT)

    def remove(self) -> None:
        self.stop()
        shutil.rmtree(self.directory)


class World:
    """An instance with an API, a service account that may use it, and its administrator."""

    def __init__(self, **settings: str) -> None:
        self.ends = ExitStack()
        self.instance = Instance(CLAVIGER_PUBLIC_URL=ISSUER, **settings)
        self.ends.callback(self.instance.remove)
        self.root = self.instance.said("bootstrap")
        self.http = self.ends.enter_context(httpx.Client(trust_env=False, timeout=10))
        self.account = ""

    def start(self) -> Self:
        self.instance.start()
        permissions = [{"name": "invoices:read"}, {"name": "invoices:write"}]
        self.made("/v1/apis", identifier=AUDIENCE, name="Invoices", permissions=permissions)
        organization = self.made("/v1/organizations", name="Acme", slug="acme")
        names = [permission["name"] for permission in permissions]
        account = self.made("/v1/service-accounts", organization_id=organization["id"], name="sync", permissions=names)
        self.account = account["id"]
        return self

    def send(self, method: str, path: str, **body: object) -> Any:
        headers = {"authorization": f"Bearer {self.root}"}
        response = self.http.request(method, self.instance.public + path, headers=headers, json=body)
        assert response.is_success, f"{method} {path}: {response.text}"
        return response.json() if response.content else None

    def made(self, path: str, **body: object) -> Any:
        return self.send("POST", path, **body)

    def key(self, **more: object) -> Any:
        body = {"service_account_id": self.account, "name": "ci", "permissions": ["invoices:read"], **more}
        return self.made("/v1/api-keys", **body)

    def token(self, scope: str = "invoices:read", dpop: str | None = None) -> tuple[str, str]:
        """An access token, and the id of the client's secret that it was made from."""
        secret = self.made(f"/v1/service-accounts/{self.account}/secrets", name="s")
        basic = base64.b64encode(f"{secret['client_id']}:{secret['client_secret']}".encode()).decode()
        headers = {"authorization": f"Basic {basic}"} | ({} if dpop is None else {"dpop": dpop})
        form = {"grant_type": "client_credentials", "resource": AUDIENCE, "scope": scope}
        response = self.http.post(f"{self.instance.public}/oauth/token", data=form, headers=headers)
        assert response.is_success, response.text
        return response.json()["access_token"], secret["id"]

    def revoke_secret(self, secret: str) -> None:
        """Revokes a client's secret, and with it every token that was made from it."""
        self.made(f"/v1/service-accounts/{self.account}/secrets/{secret}/revoke")

    def becomes_used(self, credential: str, code: str, uses: int) -> None:
        """Waits until so many uses of a credential are counted, with one verdict."""
        began = time.monotonic()
        while True:
            items = self.send("GET", f"/v1/usage?by=day&group=code&credential_id={credential}")["items"]
            if [(item["code"], item["uses"]) for item in items] == [(code, uses)]:
                return
            assert time.monotonic() - began < SOON, items
            time.sleep(0.1)

    def settings(self, **more: Any) -> Settings:
        places = {"public_address": self.instance.public, "internal_address": self.instance.internal}
        return Settings(**{"issuer": ISSUER, "audience": AUDIENCE, **places, **more})

    def serve(self, app: FastAPI) -> str:
        """Serves an application until the world ends."""
        port = free_port()
        return self.ends.enter_context(serving(app, port))

    def asked(self, url: str, credential: str, **headers: str) -> tuple[int, str]:
        """The status of a request with a credential, and the code of a refusal."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        response = self.http.get(url, headers={"authorization": f"Bearer {credential}", **named})
        return response.status_code, response.headers.get("x-claviger-code", "")

    def becomes(self, url: str, credential: str, status: int, bound: float, never: tuple[int, ...] = ()) -> None:
        """Waits until a credential is answered with a status, and with none of `never` before."""
        began = time.monotonic()
        while True:
            answered, code = self.asked(url, credential)
            if answered == status:
                return
            assert answered not in never, code
            assert time.monotonic() - began < bound, f"not {status} within {bound} s, but {answered} {code}"
            time.sleep(0.02)


@contextmanager
def serving(app: FastAPI, port: int) -> Iterator[str]:
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=port, log_level="warning"))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            assert thread.is_alive()
            time.sleep(0.01)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join()


def service(world: World, more: dict[str, Any] | None = None, **options: Any) -> str:
    """A service by FastAPI, at the address of what it guards."""
    claviger = Claviger(world.settings(**(more or {})))
    app = FastAPI(lifespan=following(claviger), exception_handlers=REFUSALS)

    @app.get("/invoices")
    async def invoices(caller: Annotated[Identity, require(claviger, "invoices:read", **options)]) -> str:
        return f"invoices of {caller.organization}\n"

    return f"{world.serve(app)}/invoices"
