"""Who is let in where others can reach the page, and that nobody is refused in more than a sentence."""

from base64 import b64encode
from pathlib import Path

from fastapi.testclient import TestClient

from eichi.web.access import Access
from eichi.web.app import make_app
from eichi.web.desk import Desk


def basic(password: str) -> str:
    return f"Basic {b64encode(f'me:{password}'.encode()).decode()}"


def test_a_password_and_a_token_are_shown_once_and_can_be_changed(tmp_path: Path) -> None:
    access = Access(tmp_path)
    assert not access.known
    assert not access.allows("Bearer x")
    password, token = access.renew()
    kept = access.path.read_text(encoding="utf-8")
    assert password not in kept
    assert token not in kept
    for header in (basic(password), basic(password), f"Bearer {token}"):
        assert access.allows(header)
    wrong = (basic(token), basic(""), f"Bearer {password}", "Bearer ", "Basic ???", "", "Digest x")
    assert not any(access.allows(header) for header in wrong)
    again, _ = access.renew()
    assert not access.allows(basic(password))
    assert access.allows(basic(again))
    assert Access(tmp_path).allows(basic(again))
    access.path.write_text("{", encoding="utf-8")
    assert not Access(tmp_path).allows(basic(again))


def test_a_page_for_others_asks_for_the_password(desk: Desk) -> None:
    access = Access(desk.settings.home)
    password, token = access.renew()
    app = make_app(desk, hosts=("*",), access=access)
    with TestClient(app, base_url="http://box.example", follow_redirects=False) as client:
        for address in ("/", "/en/", "/page/page.js", "/api/v1/jobs", "/api/openapi.json", "/en/gradio_api/info"):
            answer = client.get(address)
            assert answer.status_code == 401
            assert answer.headers["www-authenticate"].startswith("Basic")
            assert answer.json()["id"] == "error.api.access"
        assert client.get("/api/v1/jobs", headers={"authorization": "Bearer wrong"}).status_code == 401
        assert client.get("/api/v1/jobs", headers={"authorization": f"Bearer {token}"}).json()["jobs"] == []
        assert client.get("/en/", headers={"authorization": basic(password)}).status_code == 200
