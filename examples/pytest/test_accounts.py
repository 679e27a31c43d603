"""Tests of a client that logs in. Replace `request` with the client that you test."""

import json
import urllib.error
import urllib.request

import pytest


def request(server, method, path, body=None, token=None):
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    data = None if body is None else json.dumps(body).encode()
    call = urllib.request.Request(f"{server['url']}/api/v4{path}", data, headers, method=method)
    with urllib.request.urlopen(call, timeout=30) as answer:
        return answer.headers, json.load(answer)


def test_the_administrator_has_a_session(server):
    _, me = request(server, "GET", "/users/me", token=server["token"])
    assert me["username"] == server["admin"]["username"]


def test_a_user_logs_in(server):
    user = server["users"][0]
    credentials = {"login_id": user["username"], "password": server["password"]}
    headers, _ = request(server, "POST", "/users/login", credentials)
    _, me = request(server, "GET", "/users/me", token=headers["Token"])
    assert me["id"] == user["id"]


def test_a_wrong_password_is_refused(server):
    credentials = {"login_id": server["users"][1]["username"], "password": "wrong"}
    with pytest.raises(urllib.error.HTTPError) as refusal:
        request(server, "POST", "/users/login", credentials)
    assert refusal.value.code == 401
