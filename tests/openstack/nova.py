"""A flavor, an image, a network, and a quota for the plain project that is soon used up; idempotent.

nova.py DIR networks: only asks neutron for its networks.
nova.py DIR: after it, the user `kamscale` has room for KAMSCALE_NOVA_SERVERS servers (3) of flavor `kamscale.small` with
image `kamscale`, and templates may name the network `test`; the next server is refused with 403. Servers without a
network need microversion 2.37 (`networks: none`).
"""
import json
import os
import pathlib
import sys

import requests

DIR = pathlib.Path(sys.argv[1])
SERVERS = int(os.environ.get("KAMSCALE_NOVA_SERVERS", "3"))
TIMEOUT_S = 60


def load(name):
    """The admin's part of clouds.yaml or secure.yaml, which are JSON after a comment."""
    text = (DIR / name).read_text().split("\n", 1)[1]
    return json.loads(text)["clouds"]["kamscale-admin"]["auth"]


def log_in():
    """A session with the admin's token, and the catalog as {type: url}."""
    auth = {**load("clouds.yaml"), **load("secure.yaml")}
    session = requests.Session()
    session.trust_env = False
    domain = {"id": "default"}
    answer = session.post(auth["auth_url"] + "/auth/tokens", timeout=TIMEOUT_S, json={"auth": {
        "identity": {"methods": ["password"], "password": {"user": {
            "name": auth["username"], "domain": domain, "password": auth["password"]}}},
        "scope": {"project": {"name": auth["project_name"], "domain": domain}}}})
    answer.raise_for_status()
    session.headers["X-Auth-Token"] = answer.headers["X-Subject-Token"]
    catalog = {service["type"]: service["endpoints"][0]["url"] for service in answer.json()["token"]["catalog"]}
    catalog["identity"] = auth["auth_url"]
    return session, catalog


def call(session, method, url, **words):
    """One request; its answer as JSON if it has one."""
    answer = session.request(method, url, timeout=TIMEOUT_S, **words)
    answer.raise_for_status()
    return answer.json() if "json" in answer.headers.get("Content-Type", "") and answer.content else None


def main():
    """Everything, in order."""
    session, url = log_in()
    if sys.argv[2:] == ["networks"]:
        call(session, "GET", url["network"] + "/v2.0/networks")
        return
    flavors = call(session, "GET", url["compute"] + "/flavors")["flavors"]
    if "kamscale.small" not in [each["name"] for each in flavors]:
        body = {"name": "kamscale.small", "ram": 64, "vcpus": 1, "disk": 1}
        call(session, "POST", url["compute"] + "/flavors", json={"flavor": body})
    if not call(session, "GET", url["image"] + "/v2/images", params={"name": "kamscale"})["images"]:
        body = {"name": "kamscale", "disk_format": "raw", "container_format": "bare", "visibility": "public"}
        image = call(session, "POST", url["image"] + "/v2/images", json=body)
        call(session, "PUT", f"{url['image']}/v2/images/{image['id']}/file", data=b"\0" * 1024,
             headers={"Content-Type": "application/octet-stream"})
    networks = url["network"] + "/v2.0/networks"
    if not call(session, "GET", networks, params={"name": "test"})["networks"]:
        call(session, "POST", networks, json={"network": {"name": "test", "shared": True}})
    projects = call(session, "GET", url["identity"] + "/projects", params={"name": "kamscale"})["projects"]
    quota = {"quota_set": {"instances": SERVERS, "force": True}}
    call(session, "PUT", f"{url['compute']}/os-quota-sets/{projects[0]['id']}", json=quota)


main()
