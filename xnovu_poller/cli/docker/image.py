"""`xnovu docker build` and `push`."""

from pathlib import Path

import click

from xnovu_poller import __version__
from xnovu_poller.cli.docker import engine
from xnovu_poller.cli.docker.tags import IMAGE, read_checkout
from xnovu_poller.errors import XnovuError


@click.command
@click.option("-t", "--tag", metavar="TAG", help="Tag the image with this.  [default: the commit]")
@click.option("--platform", metavar="LIST", help="Build for these, such as linux/amd64,linux/arm64.")
@click.option("--no-cache", is_flag=True, help="Take no layer from an earlier build.")
@engine.dry_run_option
def build(tag: str | None, platform: str | None, *, no_cache: bool, dry_run: bool) -> None:
    """Build the image of this checkout, `xnovu:COMMIT`.

    The tag is the short hash of the commit. If files differ from the commit, or are new and not ignored, it ends with
    `-dirty`. The image has the time of the commit, not of the build.

    Exit codes: 0, or 1 if there is no checkout here, or the build fails.
    """
    folder = Path()
    checkout = read_checkout(folder)
    if not (folder / "Dockerfile").is_file():
        raise XnovuError("docker: this folder has no Dockerfile; run the command at the root of a checkout")
    words = [
        "build",
        f"--tag={IMAGE}:{tag or checkout.local_tag}",
        f"--build-arg=XNOVU_COMMIT={checkout.commit}{'-dirty' if checkout.dirty else ''}",
        f"--build-arg=SOURCE_DATE_EPOCH={checkout.committed_at}",
        f"--label=org.opencontainers.image.version={__version__}",
        *([f"--platform={platform}"] if platform else []),
        *(["--no-cache"] if no_cache else []),
        ".",
    ]
    if dry_run:
        engine.print_command(*words)
    else:
        engine.run(*words)


@click.command
@click.option(
    "-r",
    "--registry",
    metavar="REGISTRY",
    envvar="XNOVU_REGISTRY",
    required=True,
    show_envvar=True,
    help="The registry, with its path, such as registry.example/team.",
)
@engine.dry_run_option
def push(registry: str, *, dry_run: bool) -> None:
    """Push the image of this commit to a registry.

    It gets the short hash of the commit, the nearest tag of a version (`v1.2.3`) and `latest`. If files differ from the
    commit, the image of the commit itself is pushed, under its hash only; no tag in a registry ends with `-dirty`.

    Exit codes: 0; 1 if there is no checkout here, the image is not built, or the registry refuses; 2 if no registry is named.
    """
    checkout = read_checkout(Path())
    built = f"{IMAGE}:{checkout.short}"
    if checkout.dirty:
        click.echo(
            f"xnovu: files differ from the commit; only {built} is pushed, which was built before", err=True
        )
    elif checkout.version and not checkout.version_is_here:
        click.echo(f"xnovu: {checkout.version} is an earlier commit; its image is replaced", err=True)
    hint = f"; build {built} first, from a checkout without changes: `xnovu docker build`"
    for tag in checkout.pushed_tags:
        target = f"{registry.strip().rstrip('/')}/{IMAGE}:{tag}"
        for words, advice in ((("tag", built, target), hint), (("push", target), "")):
            if dry_run:
                engine.print_command(*words)
            else:
                engine.run(*words, hint=advice)
