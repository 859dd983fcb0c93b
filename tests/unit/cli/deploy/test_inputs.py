"""The stacks that `spotswarm deploy` finds in a directory."""

from pathlib import Path

from typer.testing import CliRunner

from cli.__main__ import app
from cli.deploy.inputs import stack_names

STACK = "services: {web: {image: 'web:1'}}\n"


def deploy(directory: Path, stack: str) -> tuple[int, str]:
    (directory / "env").write_text("DOMAIN=localhost\n")
    options = [f"--env-file={directory}/env", f"--directory={directory}", "--dry-run"]
    result = CliRunner().invoke(app, ["deploy", stack, *options])
    return result.exit_code, " ".join(result.stderr.split())


def test_every_file_of_the_directory_is_a_stack_unless_it_says_otherwise(tmp_path: Path) -> None:
    (tmp_path / "edge.yml").write_text(STACK)
    (tmp_path / "monitoring.yml").write_text(STACK)
    (tmp_path / "dev.yml").write_text(f"x-spotswarm: {{is_stack: false}}\n{STACK}")

    assert stack_names(tmp_path) == ["edge", "monitoring"]


def test_an_unknown_stack_is_refused_with_the_names_of_all_stacks(tmp_path: Path) -> None:
    (tmp_path / "edge.yml").write_text(STACK)
    (tmp_path / "monitoring.yml").write_text(STACK)

    code, error = deploy(tmp_path, "shop")

    assert code == 2
    assert "there is no stack named shop" in error
    assert "edge, monitoring" in error


def test_a_directory_without_stacks_is_refused_with_the_option_that_names_another(
    tmp_path: Path,
) -> None:
    code, error = deploy(tmp_path, "edge")

    assert code == 2
    assert "--directory" in error


def test_a_stack_that_is_no_valid_yaml_is_refused_by_its_name(tmp_path: Path) -> None:
    (tmp_path / "edge.yml").write_text("services: [")

    code, error = deploy(tmp_path, "edge")

    assert code == 2
    assert "edge.yml" in error


def test_undoing_is_not_tried_as_a_dry_run() -> None:
    result = CliRunner().invoke(app, ["deploy", "shop", "--undo", "--dry-run"])
    assert result.exit_code == 2
    assert "--undo has no --dry-run; nothing was changed" in " ".join(result.stderr.split())
