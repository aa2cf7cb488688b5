"""Keystone's content, by plain REST, and the files that clients read; idempotent. It starts nothing.

bootstrap.py DIR KEYSTONE-URL NAME=PORT...: roles, the service project and its users, Heat's domain, the catalog, and
the project and user `kamscale`: a plain user with two application credentials. Then DIR/clouds.yaml and
DIR/secure.yaml (passwords and secrets), and DIR/endpoints.env.
"""
import json
import os
import pathlib
import sys

import requests

DIR, KEYSTONE = pathlib.Path(sys.argv[1]), sys.argv[2]
PORT = dict(word.split("=") for word in sys.argv[3:])
URL = KEYSTONE + "/v3"
ADDRESS = KEYSTONE.split("/")[2].split(":")[0]
DEFAULT = {"id": "default"}
TIMEOUT_S = 30
SERVICES = {  # name: (type, path)
    "heat-api": ("orchestration", "/v1/%(tenant_id)s"),
    "heat-api-cfn": ("cloudformation", "/v1"),
    "gnocchi-api": ("metric", ""),
    "aodh-api": ("alarming", ""),
    "nova-api": ("compute", "/v2.1"),
    "placement": ("placement", ""),
    "glance": ("image", ""),
    "neutron": ("network", ""),
}
SERVICE_USERS = ("heat", "gnocchi", "aodh", "ceilometer", "nova", "placement", "glance", "neutron")
PLAIN_ROLES = ("member", "heat_stack_owner")


def secret(name):
    """What configure.sh made up for this use."""
    return (DIR / "etc" / "secrets" / name).read_text()


def log_in(user, password, project):
    """A session with a token of that user."""
    session = requests.Session()
    session.trust_env = False
    who = {"name": user, "domain": DEFAULT, "password": password}
    answer = session.post(URL + "/auth/tokens", timeout=TIMEOUT_S, json={"auth": {
        "identity": {"methods": ["password"], "password": {"user": who}},
        "scope": {"project": {"name": project, "domain": DEFAULT}}}})
    answer.raise_for_status()
    session.headers["X-Auth-Token"] = answer.headers["X-Subject-Token"]
    session.user_id = answer.json()["token"]["user"]["id"]
    return session


def ensure(session, path, match, body):
    """The one thing at `path` that matches, made if it is missing."""
    several = path.rsplit("/", 1)[-1]
    one = several.removesuffix("s")
    answer = session.get(f"{URL}/{path}", params=match, timeout=TIMEOUT_S)
    answer.raise_for_status()
    if answer.json()[several]:
        return answer.json()[several][0]
    answer = session.post(f"{URL}/{path}", json={one: {**match, **body}}, timeout=TIMEOUT_S)
    answer.raise_for_status()
    return answer.json()[one]


def grant(admin, path):
    """Gives a role; giving it again changes nothing."""
    admin.put(URL + path, timeout=TIMEOUT_S).raise_for_status()


def make_users(admin):
    """Roles, projects, users and Heat's domain."""
    names = ("admin", "member", "reader", "service", "heat_stack_owner", "heat_stack_user")
    role = {name: ensure(admin, "roles", {"name": name}, {})["id"] for name in names}

    def user(name, password, domain="default"):
        return ensure(admin, "users", {"name": name, "domain_id": domain}, {"password": password})["id"]

    def project(name):
        return ensure(admin, "projects", {"name": name, "domain_id": "default"}, {})["id"]

    service_project = project("service")
    for name in SERVICE_USERS:
        user_id = user(name, secret("service"))
        for each in ("admin", "service"):
            grant(admin, f"/projects/{service_project}/users/{user_id}/roles/{role[each]}")
    own_project, user_id = project("kamscale"), user("kamscale", secret("user"))
    for each in PLAIN_ROLES:
        grant(admin, f"/projects/{own_project}/users/{user_id}/roles/{role[each]}")
    domain = ensure(admin, "domains", {"name": "heat"}, {"description": "users that Heat makes for stacks"})["id"]
    keeper = user("heat_domain_admin", secret("stack-domain"), domain)
    grant(admin, f"/domains/{domain}/users/{keeper}/roles/{role['admin']}")


def make_catalog(admin):
    """Services and endpoints, also of those that are not started: a catalog is no promise."""
    for name, (kind, path) in SERVICES.items():
        service = ensure(admin, "services", {"name": name, "type": kind}, {})["id"]
        for interface in ("public", "internal", "admin"):
            match = {"service_id": service, "interface": interface, "region_id": "RegionOne"}
            ensure(admin, "endpoints", match, {"url": f"http://{ADDRESS}:{PORT[name]}{path}"})


def make_credentials():
    """The two application credentials of the plain user: {name: id}."""
    plain = log_in("kamscale", secret("user"), "kamscale")
    made = {}
    for name, unrestricted in (("application", True), ("restricted", False)):
        path = f"users/{plain.user_id}/application_credentials"
        made[name] = ensure(plain, path, {"name": name}, {"secret": secret(name), "unrestricted": unrestricted})["id"]
    return made


def write(name, content, mode=0o600):
    """A file in DIR that is there whole or not at all."""
    part = DIR / (name + ".part")
    with open(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "w", encoding="utf-8") as file:
        file.write(content)
    part.rename(DIR / name)


def write_files(credentials):
    """What clients read. JSON is YAML."""
    clouds, secure = {}, {}
    for name, user, use in (("kamscale-admin", "admin", "admin"), ("kamscale", "kamscale", "user")):
        clouds[name] = {"auth": {
            "auth_url": URL, "username": user, "user_domain_name": "Default",
            "project_name": user, "project_domain_name": "Default"}}
        secure[name] = {"auth": {"password": secret(use)}}
    for name, identifier in credentials.items():
        clouds["kamscale-" + name] = {"auth_type": "v3applicationcredential", "auth": {
            "auth_url": URL, "application_credential_id": identifier}}
        secure["kamscale-" + name] = {"auth": {"application_credential_secret": secret(name)}}
    for cloud in clouds.values():
        cloud.update({"region_name": "RegionOne", "interface": "public", "identity_api_version": 3})
    head = "# Written by tests/openstack/bootstrap.py; what is secret stands in secure.yaml beside it.\n"
    write("clouds.yaml", head + json.dumps({"clouds": clouds}, indent=2) + "\n")
    write("secure.yaml", head + json.dumps({"clouds": secure}, indent=2) + "\n")
    lines = [f"export OS_CLIENT_CONFIG_FILE='{DIR}/clouds.yaml'", f"export OS_CLIENT_SECURE_FILE='{DIR}/secure.yaml'",
             f"KAMSCALE_KEYSTONE_URL={URL}"]
    for name, port in PORT.items():
        lines.append(f"KAMSCALE_{name.replace('-', '_').upper()}_PORT={port}")
    write("endpoints.env", head + "\n".join(lines) + "\n")


def main():
    """Everything, in order."""
    admin = log_in("admin", secret("admin"), "admin")
    make_users(admin)
    make_catalog(admin)
    write_files(make_credentials())


main()
