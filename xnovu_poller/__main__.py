"""`python -m xnovu_poller`, the same as `xnovu`."""

from xnovu_poller.cli.group import xnovu


def main() -> None:
    """Run the command line."""
    xnovu(prog_name="xnovu")


if __name__ == "__main__":
    main()
