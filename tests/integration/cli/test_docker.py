"""`xnovu docker`: what `docker` gets, in a scratch repository with a recording `docker`."""

import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from tests.support.programs import ENVIRONMENT
from tests.support.scratch import RecordingDocker, Scratch
from xnovu_poller import __version__, settings
from xnovu_poller.cli.group import xnovu

READ_ONLY = [
    "--init",
    "--read-only",
    "--tmpfs=/tmp",
    "--cap-drop=ALL",
    "--security-opt=no-new-privileges:true",
]
LISTENS = ["--env=WORKER_HEALTH_HOST=0.0.0.0", "--env=WORKER_HEALTH_PORT=3001"]


@pytest.fixture(autouse=True)
def in_the_checkout(scratch: Scratch, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each command runs at the root of the repository, without a registry in the environment."""
    monkeypatch.chdir(scratch.folder)
    monkeypatch.delenv("XNOVU_REGISTRY", raising=False)


def run(*words: str) -> Result:
    """Run a command in this process, with its output and its errors apart."""
    return CliRunner().invoke(xnovu, ["docker", *words])


def become(*words: str) -> int:
    """Run a command in a process of its own, which becomes `docker`; return the exit code."""
    environment = settings.child_environment(PYTHONPATH=ENVIRONMENT["PYTHONPATH"])
    return subprocess.run(
        [sys.executable, "-m", "xnovu_poller", *words], check=False, env=environment
    ).returncode


def short(scratch: Scratch) -> str:
    """Return the short hash of the commit."""
    return scratch.git("rev-parse", "--short=7", "HEAD")


def test_a_build_is_tagged_with_its_commit(scratch: Scratch, docker: RecordingDocker) -> None:
    """The image knows its commit and its time, so that two builds are alike."""
    commit = scratch.git("rev-parse", "HEAD")
    known = [
        f"--build-arg=SOURCE_DATE_EPOCH={Scratch.COMMITTED_AT}",
        f"--label=org.opencontainers.image.version={__version__}",
    ]
    labels = [f"--build-arg=XNOVU_COMMIT={commit}", *known]
    assert run("build").exit_code == 0
    assert run("build", "--platform", "linux/arm64", "--no-cache", "-t", "mine").exit_code == 0
    (scratch.folder / "new").touch()
    assert CliRunner().invoke(xnovu, ["docker:build"]).exit_code == 0

    assert docker.calls() == [
        ["build", f"--tag=xnovu:{commit[:7]}", *labels, "."],
        ["build", "--tag=xnovu:mine", *labels, "--platform=linux/arm64", "--no-cache", "."],
        [
            "build",
            f"--tag=xnovu:{commit[:7]}-dirty",
            f"--build-arg=XNOVU_COMMIT={commit}-dirty",
            *known,
            ".",
        ],
    ]


def test_a_push_gives_the_image_all_its_tags(
    scratch: Scratch, docker: RecordingDocker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`latest` comes last, when the others are there; the registry comes from an option or the environment."""
    scratch.git("tag", "v1.0.0")
    built = f"xnovu:{short(scratch)}"

    def pushed(registry: str, *tags: str) -> list[list[str]]:
        targets = [f"{registry}/xnovu:{tag}" for tag in tags]
        return [words for target in targets for words in (["tag", built, target], ["push", target])]

    result = run("push", "--registry", "registry.example/team/")
    assert (result.exit_code, result.stderr) == (0, "")
    everything = pushed("registry.example/team", short(scratch), "v1.0.0", "latest")
    assert docker.calls() == everything

    (scratch.folder / "new").touch()
    monkeypatch.setenv("XNOVU_REGISTRY", "other.example")
    result = run("push")
    assert (result.exit_code, result.stderr) == (
        0,
        f"xnovu: files differ from the commit; only {built} is pushed, which was built before\n",
    )
    assert docker.calls() == everything + pushed("other.example", short(scratch))


def test_the_version_of_an_earlier_commit_is_named(scratch: Scratch, docker: RecordingDocker) -> None:
    """It is pushed, because it is the nearest, but not in silence."""
    scratch.git("tag", "v1.0.0")
    scratch.commit("later")

    assert run("push", "-r", "r").stderr == "xnovu: v1.0.0 is an earlier commit; its image is replaced\n"
    assert docker.calls()[2][2] == "r/xnovu:v1.0.0"


def test_a_push_without_a_registry_is_refused(docker: RecordingDocker) -> None:
    """There is no default: nobody pushes to a stranger by mistake."""
    result = run("push")

    assert result.exit_code == 2
    assert "Missing option '-r' / '--registry' (env var: 'XNOVU_REGISTRY')" in result.stderr
    assert docker.calls() == []


def test_a_worker_runs_in_a_container_with_few_rights(scratch: Scratch, docker: RecordingDocker) -> None:
    """The process becomes `docker`, so it runs in a process of its own here."""
    (scratch.folder / ".gitignore").write_text(".env\nother\n")
    scratch.commit("ignore")
    image = f"xnovu:{short(scratch)}"
    background = ["--detach", "--name=xnovu", "--restart=unless-stopped"]

    assert become("docker", "run") == 0
    (scratch.folder / ".env").touch()
    assert become("docker:run", "-d", "-p", "4001") == 0
    (scratch.folder / "other").touch()
    assert become("docker", "run", "--env-file", "other", "-t", "v1") == 0
    assert become("docker", "run", "db", "downgrade", "--help") == 0
    docker.fail_at("--rm")
    assert become("docker", "run") == 125

    file, publish = "--env-file=.env", "--publish=127.0.0.1:3001:3001"
    assert docker.calls() == [
        ["run", "--rm", *READ_ONLY, *LISTENS, publish, image],
        ["run", *background, *READ_ONLY, file, *LISTENS, "--publish=127.0.0.1:4001:3001", image],
        ["run", "--rm", *READ_ONLY, "--env-file=other", *LISTENS, publish, "xnovu:v1"],
        ["run", "--rm", *READ_ONLY, file, image, "db", "downgrade", "--help"],
        ["run", "--rm", *READ_ONLY, file, *LISTENS, publish, image],
    ]


def test_a_stop_waits_for_the_deliveries_and_removes_the_container(docker: RecordingDocker) -> None:
    """Docker kills after 10 s unless it is given another time."""
    assert run("stop").exit_code == 0
    assert run("stop", "--wait", "90").exit_code == 0

    assert docker.calls() == [
        ["stop", "-t", "40", "xnovu"],
        ["rm", "xnovu"],
        ["stop", "-t", "90", "xnovu"],
        ["rm", "xnovu"],
    ]


@pytest.mark.parametrize(
    "words", [["build"], ["push", "-r", "r"], ["run", "-d", "--env-file", "a b"], ["stop"]], ids=" ".join
)
def test_a_dry_run_prints_what_it_would_run(
    words: list[str], scratch: Scratch, docker: RecordingDocker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A shell would run the printed lines as they are, and no engine is needed."""
    (scratch.folder / "a b").touch()
    scratch.commit("file")
    printed = run(*words, "--dry-run")
    assert (printed.exit_code, docker.calls()) == (0, [])
    lines = [shlex.split(line) for line in printed.stdout.splitlines()]
    assert {line[0] for line in lines} == {"docker"}

    if words[0] == "run":
        assert become("docker", *words) == 0
    else:
        assert run(*words).exit_code == 0
    assert docker.calls() == [line[1:] for line in lines]
    (docker.folder / "docker").unlink()
    assert run(*words, "--dry-run").stdout == printed.stdout


def test_each_failure_is_a_sentence(
    scratch: Scratch, docker: RecordingDocker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What `docker` printed itself stands above it."""
    built = f"xnovu:{short(scratch)}"
    docker.fail_at("tag")
    pushed = run("push", "-r", "r")
    assert pushed.exit_code == 1
    assert pushed.stderr == (
        f"xnovu: docker: `docker tag` ended with exit code 125; build {built} first, from a checkout without changes: "
        "`xnovu docker build`\n"
    )
    docker.fail_at("stop")
    assert run("stop").stderr == "xnovu: docker: `docker stop` ended with exit code 125\n"
    (scratch.folder / "Dockerfile").unlink()
    assert "this folder has no Dockerfile" in run("build").stderr
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "`docker` is not on the PATH" in run("stop").stderr


@pytest.mark.parametrize("name", ["docker:", "docker:sell", "worker:", ":build"])
def test_no_other_spelling_is_a_command(name: str) -> None:
    """The earlier system wrote `docker:build`."""
    assert CliRunner().invoke(xnovu, [name]).exit_code == 2
