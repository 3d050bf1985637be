"""Topics behind passwords and certificates: what works, what is told where they are wrong, and that no secret is told at all."""

import concurrent.futures
import glob
import json
import os

import pytest

from conftest import Place, stop, wait_until
from kafka_test import configuration, hub_rows, message

WRONG = "wrong-horse-wrong-battery"


@pytest.fixture(scope="module")
def secured(kafka_broker):
    """A topic that one user may read, and another may not."""
    broker = kafka_broker
    admin = broker.kafka.admin
    for user, password in broker.security.USERS.items():
        credential = admin.ScramCredentialInfo(admin.ScramMechanism.SCRAM_SHA_512, 4096)
        broker.done(broker.admin().alter_user_scram_credentials(
            [admin.UserScramCredentialUpsertion(user, credential, password.encode())]))
    broker.make_topic("guarded", 1)
    broker.send("guarded", [message(i, i) for i in range(5)])
    for operation in (admin.AclOperation.READ, admin.AclOperation.DESCRIBE):
        broker.done(broker.admin().create_acls([admin.AclBinding(
            admin.ResourceType.TOPIC, "guarded", admin.ResourcePatternType.LITERAL, "User:lockstep", "*", operation,
            admin.AclPermissionType.ALLOW)]))
    return broker


def options(broker, protocol, **other):
    """Those that are right for a port, and `other` over them; None: left out."""
    out = {"security.protocol": protocol}
    if "SASL" in protocol:
        out |= {"sasl.mechanism": "PLAIN" if protocol == "SASL_PLAINTEXT" else "SCRAM-SHA-512", "sasl.username": "lockstep",
                "sasl.password": broker.security.USERS["lockstep"]}
    if "SSL" in protocol:
        out["ssl.ca.location"] = broker.security.authority
    out |= {name.replace("_", "."): value for name, value in other.items()}
    return {name: value for name, value in out.items() if value is not None}


def place_of(folder, broker, port, **other):
    """At the port of a protocol; `other` may have another protocol there."""
    asked = options(broker, port, **other)
    folder.mkdir(exist_ok=True)
    if "sasl.password" in asked:
        (folder / "password").write_text(asked["sasl.password"] + "\n", encoding="utf-8")
        asked["sasl.password"] = f"${{file:{folder}/password}}"
    text = configuration(broker, ["guarded"], f", options: {json.dumps(asked)}")
    return Place(folder, text.replace(broker.address, broker.security.address(port)))


def assert_no_secret(broker, place, *told):
    secrets = [WRONG, *broker.security.USERS.values()]
    for text in told:
        assert not [secret for secret in secrets if secret in text]
    files = [path for path in glob.glob(place.path("hub", "**"), recursive=True) if os.path.isfile(path)]
    assert place.catalog in files
    for path in files:
        with open(path, "rb") as file:
            data = file.read()
        assert not [secret for secret in secrets if secret.encode() in data], path


@pytest.mark.parametrize("port, other", [
    ("SASL_PLAINTEXT", {}), ("SASL_PLAINTEXT", {"sasl_mechanism": "SCRAM-SHA-512"}), ("SSL", {}), ("SASL_SSL", {}),
    ("SASL_SSL", {"sasl_mechanism": "PLAIN"})])
def test_what_is_right_is_read(tmp_path, secured, port, other):
    place = place_of(tmp_path, secured, port, **other)
    assert "fail" not in place.run("check").out
    done = place.run("sync", "--json")
    assert done.json["errors"] == [] and len(hub_rows(place, "guarded")) == 5
    assert_no_secret(secured, place, done.out, done.err, place.run("status").out, place.run("doctor", codes=None).out)


WRONGS = {
    "the password": ("SASL_SSL", {"sasl_password": WRONG}, "Authentication failed", "sasl.username and sasl.password"),
    "the password, plain": (
        "SASL_PLAINTEXT", {"sasl_password": WRONG}, "Invalid username or password", "sasl.username and sasl.password"),
    "the mechanism": ("SASL_PLAINTEXT", {"sasl_mechanism": "SCRAM-SHA-256"}, "PLAIN,SCRAM-SHA-512", "sasl.mechanism"),
    "no password": ("SASL_PLAINTEXT", {"sasl_password": None}, "sasl.username and sasl.password must be set", "options"),
    "the authority": ("SASL_SSL", {"ssl_ca_location": "stranger"}, "certificate verify failed", "write ssl.ca.location"),
    "no authority": ("SSL", {"ssl_ca_location": None}, "certificate verify failed", "write ssl.ca.location"),
    "no file of it": ("SSL", {"ssl_ca_location": "/nowhere.pem"}, "ssl.ca.location failed", "a file that they name"),
    "no TLS": ("SASL_SSL", {"security_protocol": "SASL_PLAINTEXT"}, "security.protocol", "write security.protocol"),
    "no user": ("SASL_PLAINTEXT", {"security_protocol": "PLAINTEXT"}, "security.protocol", "write security.protocol"),
    "TLS": ("SASL_PLAINTEXT", {"security_protocol": "SASL_SSL"}, "SSL handshake failed", "write security.protocol"),
    "the user": ("SASL_PLAINTEXT", {"sasl_username": "stranger", "sasl_password": "no-rights-at-all"},
                 "Topic authorization failed", "READ and DESCRIBE"),
}


def test_what_is_wrong_is_told(tmp_path, secured):
    stranger = secured.security.make_authority("stranger")

    def look(name):
        port, other, reason, hint = WRONGS[name]
        other = {key: stranger if value == "stranger" and "location" in key else value for key, value in other.items()}
        place = place_of(tmp_path / name.replace(" ", "_"), secured, port, **other)
        checked = place.json("check", codes=(4,))
        [failure] = [line for line in checked if line["level"] == "fail"]
        assert reason in failure["message"] and hint in failure["hint"], failure
        done = place.run("sync", "--json", codes=(1, 12))
        [error] = done.json["errors"]
        assert reason in error["message"] and hint in error["hint"], error
        assert_no_secret(secured, place, json.dumps(checked), done.out, done.err, place.run("status", codes=None).out)

    with concurrent.futures.ThreadPoolExecutor(4) as pool:  # each waits for answers that do not come
        for looked in [pool.submit(look, name) for name in WRONGS]:
            looked.result()


def test_a_password_that_becomes_wrong_is_tried_again(tmp_path, secured):
    place = place_of(tmp_path, secured, "SASL_SSL", sasl_password=WRONG)
    run = place.start("run")
    told = wait_until(lambda: source_error(place), what="the error in status")
    assert "Authentication failed" in told
    _, out, err = stop(run)
    assert "Authentication failed" in out + err and "sasl.username and sasl.password" in out + err
    assert_no_secret(secured, place, told, out, err)
    (tmp_path / "password").write_text(secured.security.USERS["lockstep"], encoding="utf-8")
    run = place.start("run")
    wait_until(lambda: len(hub_rows(place, "guarded")) == 5, what="the rows")
    _, out, err = stop(run)
    assert_no_secret(secured, place, out, err, place.run("log").out)


def source_error(place):
    done = place.run("status", "--json", codes=(0, 10))
    return json.dumps(done.json["sources"]) if done.code == 0 and "Authentication" in done.out else ""
