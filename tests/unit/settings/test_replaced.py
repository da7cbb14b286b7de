"""Settings of the earlier system are named, with what takes their place."""

from xnovu_poller.settings.replaced import find_replaced


def test_each_is_named_with_what_takes_its_place() -> None:
    """Settings of this program and of others are not."""
    names = [
        "SUPABASE_SERVICE_ROLE_KEY", "SUBSCRIPTION_MAX_RETRIES", "REDIS_URL", "NOVU_API_KEY", "NOVU_API_KEYS",
        "NEXT_PUBLIC_SUPABASE_URL", "NEXT_PUBLIC_APP_URL", "NEXT_PUBLIC_NOVU_SUBSCRIBER_ID", "DATABASE_URL",
    ]  # fmt: skip

    assert list(find_replaced(names)) == [
        "NEXT_PUBLIC_APP_URL: is not read; remove it, because there is no web application",
        "NEXT_PUBLIC_NOVU_SUBSCRIBER_ID: is not read; remove it, because each row names its recipients",
        "NEXT_PUBLIC_SUPABASE_URL: is not read; write DATABASE_URL",
        "NOVU_API_KEY: is not read; write NOVU_SECRET_KEY",
        "REDIS_URL: is not read; remove it, because nothing needs Redis",
        "SUBSCRIPTION_MAX_RETRIES: is not read; remove it, because the worker polls (POLL_INTERVAL_MS)",
        "SUPABASE_SERVICE_ROLE_KEY: is not read; write DATABASE_URL",
    ]
