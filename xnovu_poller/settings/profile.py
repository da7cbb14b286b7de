"""Read a profile of Temporal's own tools; only this file of the settings imports Temporal's SDK."""

from collections.abc import Iterator
from pathlib import Path

from temporalio.envconfig import ClientConfigProfile, ClientConfigTLS, DataSource

_UNREADABLE = "has no such profile, or its file is not TOML in Temporal's form"


def read_profile(name: str | None, file: Path | None) -> dict[str, str]:
    """Return the settings in a profile, by field.

    Args:
        name: of the profile; None for `default`.
        file: None for the file of Temporal's own tools.

    Raises:
        ValueError: there is none, or it has what we do not support.
    """
    try:
        profile = ClientConfigProfile.load(name, config_source=file, disable_env=True)
    # The SDK's own error is no public class, and quotes the file, which may have a key.
    except Exception:  # noqa: BLE001
        raise ValueError(_UNREADABLE) from None
    if profile.grpc_meta:
        raise ValueError("has grpc_meta, which is not supported; remove it")
    found = {
        "temporal_address": profile.address,
        "temporal_namespace": profile.namespace,
        "temporal_api_key": profile.api_key,
        **(dict(_tls(profile.tls)) if profile.tls else {}),
    }
    return {field: value for field, value in found.items() if value}


def _tls(tls: ClientConfigTLS) -> Iterator[tuple[str, str | None]]:
    yield "temporal_tls", "off" if tls.disabled else "on"
    yield "temporal_tls_server_name", tls.server_name
    yield "temporal_server_ca_path", _path(tls.server_root_ca_cert)
    yield "temporal_client_cert_path", _path(tls.client_cert)
    yield "temporal_client_key_path", _path(tls.client_private_key)


def _path(source: DataSource | None) -> str | None:
    if source is None:
        return None
    if isinstance(source, Path):
        return str(source)
    raise ValueError(
        "has a certificate or a key in itself; write it to a file, and write the path of the file"
    )
