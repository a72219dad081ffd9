"""What docs/verifying/python.md says, run as it stands there, beside the server and the example that it speaks of."""

import asyncio
import re
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
from instance import SOON, Instance, free_port

from claviger_verify import Settings

GUIDE = (Path(__file__).parents[3] / "docs/verifying/python.md").read_text()
BLOCKS = re.findall(r"^```python\n(.*?)^```$", GUIDE, re.MULTILINE | re.DOTALL)


def test_the_guide_shows_a_service_that_works(tmp_path: Path) -> None:
    instance, service = Instance(), None
    try:
        printed = instance.start("--dev", f"--data-dir={instance.directory}/data").read_text()
        key = re.search(r"example key\s+(\S+)", printed)
        assert key is not None and len(BLOCKS) == 2
        port, (listen, inside) = free_port(), (httpx.URL(address).port for address in (instance.public, instance.internal))
        placed = BLOCKS[0].replace("7420", str(listen)).replace("7421", str(inside))
        (tmp_path / "service.py").write_text(placed)
        command = next(line for line in GUIDE.splitlines() if line.startswith("uvicorn ")).replace("7430", str(port))
        service = subprocess.Popen([sys.executable, "-m", *command.split()], cwd=tmp_path)
        url, began = f"http://127.0.0.1:{port}/invoices", time.monotonic()
        with httpx.Client(trust_env=False, headers={"authorization": f"Bearer {key[1]}"}) as client:
            while True:
                assert time.monotonic() - began < SOON
                with suppress(httpx.HTTPError):
                    response = client.get(url)
                    if response.status_code == 200:
                        break
                time.sleep(0.05)
            assert re.fullmatch(r"invoices of org_\w{26}", response.json())
            assert client.get(url, headers={"authorization": "Bearer x"}).headers["x-claviger-code"] == "unknown"

        named: dict[str, Any] = {}
        exec(BLOCKS[1], named)
        settings = Settings(issuer=instance.public, internal_address=instance.internal, audience="https://api.acme.test")
        assert asyncio.run(named["status_of"](settings, key[1])) == 200
        assert asyncio.run(named["status_of"](settings, "x")) == 401
        instance.stop()
        assert asyncio.run(named["status_of"](settings, key[1])) == 503
    finally:
        if service is not None:
            service.terminate()
            service.wait(30)
        instance.remove()
