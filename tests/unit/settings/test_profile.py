"""Profiles of Temporal's own tools: read if a variable asks for it, and weaker than each variable."""

from pathlib import Path

import pytest

from tests.support.authorities import Authority
from tests.support.environments import Environment, faults
from xnovu_poller import settings


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Return a file with several profiles."""
    authority = Authority(tmp_path)
    client = authority.issue("client")
    path = tmp_path / "temporal.toml"
    path.write_text(f"""
        [profile.default]
        address = "here:7233"
        namespace = "ours"
        [profile.cloud]
        address = "cloud.example:7233"
        api_key = "hush-hush"
        [profile.cloud.tls]
        server_name = "temporal.example"
        server_ca_cert_path = "{authority.certificate}"
        client_cert_path = "{client.certificate}"
        client_key_path = "{client.key}"
        [profile.plain.tls]
        disabled = true
        [profile.within.tls]
        client_key_data = "hush-hush"
        [profile.meta.grpc_meta]
        token = "hush-hush"
        [profile.wrong]
        address = "nowhere"
        """)
    return path


def test_a_profile_fills_what_no_variable_sets(environment: Environment, file: Path) -> None:
    """Each variable counts more than the profile."""
    environment(TEMPORAL_CONFIG_FILE=str(file), TEMPORAL_PROFILE="cloud", TEMPORAL_ADDRESS="other:7233")
    found = settings.load()

    assert (found.temporal_address, found.temporal_namespace) == ("other:7233", "default")
    assert found.temporal_api_key is not None
    assert found.temporal_api_key.get_secret_value() == "hush-hush"
    assert found.temporal_tls_server_name == "temporal.example"
    assert found.temporal_client_cert_path == file.with_name("client.pem")
    assert found.temporal_server_ca_path == file.with_name("authority.pem")
    assert found.temporal_secure
    sources = settings.find_sources()
    assert sources["TEMPORAL_ADDRESS"] == "TEMPORAL_ADDRESS"
    assert sources["TEMPORAL_API_KEY"] == "TEMPORAL_PROFILE"
    assert sources["TEMPORAL_NAMESPACE"] == "default"


def test_without_a_name_it_is_the_default_profile(environment: Environment, file: Path) -> None:
    """And TLS may be switched off."""
    environment(TEMPORAL_CONFIG_FILE=str(file))
    assert settings.load_temporal().temporal_namespace == "ours"
    assert settings.find_sources()["TEMPORAL_NAMESPACE"] == "TEMPORAL_CONFIG_FILE"

    environment(TEMPORAL_PROFILE="plain")
    assert settings.load_temporal_address().temporal_tls is False


def test_the_file_of_temporals_tools_is_read_only_if_a_variable_asks_for_it(
    environment: Environment, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What lies in somebody's home folder must not lead a worker elsewhere."""
    own = file.parent / ".config" / "temporalio" / "temporal.toml"
    own.parent.mkdir(parents=True)
    file.rename(own)
    monkeypatch.setenv("HOME", str(file.parent))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)

    environment()
    assert settings.load().temporal_address == "localhost:7233"
    environment(TEMPORAL_PROFILE="default")
    assert settings.load().temporal_address == "here:7233"


@pytest.mark.parametrize(
    ("profile", "fault"),
    [
        ("none", "TEMPORAL_PROFILE: has no such profile, or its file is not TOML in Temporal's form"),
        ("meta", "TEMPORAL_PROFILE: has grpc_meta, which is not supported; remove it"),
        (
            "within",
            "TEMPORAL_PROFILE: has a certificate or a key in itself; write it to a file, and write the path of the file",
        ),
        ("wrong", "TEMPORAL_ADDRESS: must have the form host:port"),
    ],
)
def test_a_profile_that_cannot_be_used_is_refused(
    environment: Environment, file: Path, profile: str, fault: str
) -> None:
    """No sentence quotes the file."""
    found = faults(environment, TEMPORAL_CONFIG_FILE=str(file), TEMPORAL_PROFILE=profile)

    assert any(sentence.startswith(fault) for sentence in found)
    assert "hush-hush" not in str(found)


def test_a_file_that_is_missing_or_broken_is_refused(environment: Environment, tmp_path: Path) -> None:
    """The SDK itself takes a missing file for an empty one."""
    path = tmp_path / "temporal.toml"
    missing = faults(environment, TEMPORAL_CONFIG_FILE=str(path))
    assert missing == ("TEMPORAL_CONFIG_FILE: must be the path of an existing file",)

    path.write_text("[[hush-hush")
    (broken,) = faults(environment, TEMPORAL_CONFIG_FILE=str(path))
    assert broken.startswith("TEMPORAL_CONFIG_FILE: has no such profile")
