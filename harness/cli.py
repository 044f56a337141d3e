"""The command line: parse, call one function, print, exit code. Everything slow is imported inside its command."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from harness import __version__
from harness.errors import ChallengeError, HarnessError, InfrastructureError, UsageError

EXIT_BELOW, EXIT_USAGE, EXIT_VOID, EXIT_INTERRUPTED = 1, 2, 3, 130
RUNS = click.option(
    "--runs",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("runs"),
    show_default=True,
    help="Folder that the run folders are written to.",
)
RUN = click.argument("run", type=click.Path(path_type=Path))
OUTPUT = click.Path(path_type=Path, dir_okay=False)
JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON on standard output and nothing else there.")


class Cli(click.Group):
    """Turns our errors into one message and the exit code that the README promises."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command."""
        try:
            return super().invoke(ctx)
        except (UsageError, ChallengeError) as error:
            _fail(error, EXIT_USAGE)
        except InfrastructureError as error:
            _fail(error, EXIT_VOID)
        except KeyboardInterrupt:
            _fail(HarnessError("interrupted; everything that was started has been stopped"), EXIT_INTERRUPTED)


@click.group(cls=Cli, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="harness")
def cli() -> None:
    """Grade take-home submissions for MLOps roles.

    A submission is built on a Docker engine, run in a closed sandbox, watched by stages that record evidence, and
    scored by the challenge's rubric. Start with:

    \b
      harness doctor                       is this machine fit to grade on?
      harness challenge list               what can be graded
      harness grade path/to/submission     grade one; the report lands under runs/

    \b
    Exit codes: 0 graded; 1 below --fail-under; 2 wrong usage or a broken challenge, before anything
    ran; 3 void: the harness or the machine failed, so grade again; 130 interrupted.
    """


@cli.command()
@click.argument("path", type=click.Path(path_type=Path))
@click.option("--challenge", "challenge_id", metavar="ID", help="Which challenge; needed where there are several.")
@click.option(
    "--profile",
    type=click.Choice(["review", "public"]),
    default="review",
    show_default=True,
    help="review: hidden inputs, full windows. public: what candidates run, with the published seed.",
)
@click.option("--stage", "stages", multiple=True, metavar="NAME", help="Run only this stage; may be repeated.")
@RUNS
@click.option("--fail-under", type=float, metavar="N", help="Exit with 1 if the points are below N.")
@JSON
@click.option(
    "--sandbox",
    type=click.Choice(["docker", "local", "auto"]),
    default="docker",
    show_default=True,
    help="local: a plain process, never a final grade. auto: docker where an engine answers, else local.",
)
@click.option(
    "--trusted", is_flag=True, help="Declare that the submission may run outside a container (local sandbox)."
)
@click.option("--cohort", default="default", show_default=True, help="Candidates of one cohort get the same inputs.")
@click.option("--seed", metavar="HEX", help="Repeat a run whose seed was revealed (64 hexadecimal digits).")
@click.option("--mlflow", "mlflow_uri", envvar="MLFLOW_TRACKING_URI", metavar="URI", help="Log the grading to MLflow.")
@click.pass_context
def grade(ctx: click.Context, /, path: Path, fail_under: float | None, as_json: bool, **asked: Any) -> None:
    """Grade the submission in the folder PATH, or the bundle PATH (.tar) as a candidate handed it in.

    \b
    Examples:
      harness grade ../candidate-17
      harness grade handed-in/0f3a61c2d4e5.tar
      harness grade . --profile public --stage drift
      harness grade submission --fail-under 60 --json > report.json
    """
    from harness import bundle, grading_run, terminal

    with bundle.opened(path) as submission:
        order, notes = grading_run.order(submission, **{k: v for k, v in asked.items() if k != "mlflow_uri"})
        for note in notes:
            terminal.note(note)
        folder, report, warning = grading_run.execute(order, terminal.Progress(order), asked["mlflow_uri"])
    if warning:
        terminal.note(warning)
    if as_json:
        click.echo((folder / "report.json").read_text("utf-8"), nl=False)
    else:
        terminal.summary(report, folder)
    if report.void:
        ctx.exit(EXIT_VOID)
    if fail_under is not None and report.points < fail_under:
        ctx.exit(EXIT_BELOW)


@cli.command()
@RUN
@JSON
def rescore(run: Path, as_json: bool) -> None:
    """Score the run folder RUN again from its evidence, and write its reports anew. Runs no container.

    Reports are derived: delete them and they come back byte for byte, as long as evidence, rubric and reviews are the
    same.
    """
    from harness import reports, terminal

    report = reports.write_all(run)
    if as_json:
        click.echo(reports.render(report, "json"), nl=False)
    else:
        terminal.summary(report, run)


@cli.command()
@RUN
@click.option("--format", "name", metavar="NAME", help="Print the report in this format: json, html, markdown, junit.")
@click.option(
    "--reveal-seed", is_flag=True, help="Print the seed of the hidden inputs, checked against the commitment."
)
@click.option("--cohort", default="default", show_default=True, help="The cohort that the run was graded for.")
def report(run: Path, name: str | None, reveal_seed: bool, cohort: str) -> None:
    """Show the report of the run folder RUN."""
    from harness import grading_run, reports, terminal

    found = reports.rescore(run)
    if reveal_seed:
        click.echo(grading_run.reveal(found, cohort).hex)
    elif name:
        click.echo(reports.render(found, name), nl=False)
    else:
        terminal.summary(found, run)


@cli.command()
@RUN
@click.option("--criterion", required=True, metavar="ID", help="A manual criterion of the rubric.")
@click.option("--points", required=True, type=float, metavar="N")
@click.option("--reason", required=True, metavar="TEXT", help="Why; it stands in the report.")
@click.option("--reviewer", required=True, metavar="NAME")
def review(run: Path, criterion: str, points: float, reason: str, reviewer: str) -> None:
    """Add a person's judgement of a manual criterion to the run folder RUN, and write its reports anew.

    Reviews are only ever appended; the last one on a criterion counts.
    """
    from harness import grading_run, terminal

    terminal.summary(grading_run.add_review(run, criterion, points, reason, reviewer), run)


@cli.command()
@JSON
@click.pass_context
def doctor(ctx: click.Context, as_json: bool) -> None:
    """Examine this machine: engine, BuildKit, base images, disk, cores, addresses, clock, exposure of the host.

    Exits with 2 if something that grading needs is missing.
    """
    from harness import doctor as examination
    from harness import terminal

    findings = examination.examine()
    terminal.findings(findings, as_json=as_json)
    if any(finding.status == "fail" for finding in findings):
        ctx.exit(EXIT_USAGE)


@cli.command()
@click.option("--images", is_flag=True, help="Remove the images of submissions too: the next build starts cold.")
def clean(images: bool) -> None:
    """Remove what earlier runs left behind: containers, networks, processes. Only what bears our label is touched."""
    from harness import machine
    from harness.sandbox import docker, local

    with machine.only_one(lambda message: click.echo(message, err=True)):
        removed = [*local.sweep(), *(docker.sweep(images=images) if docker.available() else [])]
    click.echo("\n".join(removed) if removed else "nothing was left behind")


@cli.group()
def challenge() -> None:
    """List and check challenges."""


@challenge.command("list")
@JSON
def challenge_list(as_json: bool) -> None:
    """List all challenges. A folder with a challenge.toml under challenges/ is one."""
    from harness import challenge as challenges
    from harness import terminal

    terminal.challenges([challenges.load(challenges.HOME / name) for name in challenges.find()], as_json=as_json)


@challenge.command("validate")
@click.argument("names", nargs=-1, metavar="[ID | FOLDER]...")
def challenge_validate(names: tuple[str, ...]) -> None:
    """Check challenges (all of them unless named): challenge.toml, its stages and settings, its rubric's evidence."""
    from harness import challenge as challenges
    from harness.verify import verify

    for name in names or challenges.find():
        found = challenges.located(name)
        verify(found)
        criteria = len(found.spec.rubric.criteria)
        click.echo(f"{found.id} {found.spec.version}: valid; {len(found.spec.stages)} stages, {criteria} criteria")


@challenge.command("calibrate")
@click.argument("challenge_id", metavar="ID|FOLDER")
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option("--stage", "stages", multiple=True, metavar="STAGE", help="Run only this stage; may be repeated.")
@click.option(
    "--profile",
    type=click.Choice(["public", "review"]),
    default="public",
    show_default=True,
    help="public: what candidates run, in half the time. review: what a final grade rests on.",
)
@click.option(
    "--runs",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("runs/calibration"),
    show_default=True,
    help="Folder that the run folders are written to.",
)
@click.option("--json", "json_file", type=OUTPUT, metavar="FILE", help="Write the matrix as JSON.")
@click.option("--html", "html_file", type=OUTPUT, metavar="FILE", help="Write it as a self-contained page.")
@click.option("--markdown", "markdown_file", type=OUTPUT, metavar="FILE", help="Write it as Markdown.")
@click.option("--no-goldens", is_flag=True, help="Leave out the golden submissions, which run all stages.")
@click.option("--resume", is_flag=True, help="Take the runs under --runs of submissions that have not changed since.")
@click.pass_context
def challenge_calibrate(ctx: click.Context, /, challenge_id: str, **asked: Any) -> None:
    """Run the known submissions of challenge ID (or those named) and print what the rubric made of them.

    A flawed submission has one fault and names the criteria that it must lose. It is

    \b
      caught by named     all that it names lost points
      caught by another   none did, but another criterion lost points
      missed              one that it names kept its points
      undecided           the machine could not tell, in two attempts

    What it loses beyond those is collateral; what a golden submission loses is a false alarm; a criterion that no
    flawed submission ever loses is dead weight. Only the stages run that a fault concerns.

    \b
    Examples:
      harness challenge calibrate fraud_detection
      harness challenge calibrate fraud_detection root_user --runs /tmp/runs
      harness challenge calibrate fraud_detection --stage drift --html matrix.html
      harness challenge calibrate fraud_detection --resume --no-goldens

    \b
    Exit codes: 0 every flawed one is caught by what it names and no golden one loses a point; 1 not so;
    2 wrong usage or a broken submission, before anything ran; 3 only undecided ones stand in the way.
    """
    from harness import challenge as challenges
    from harness.calibration import calibrate, display

    goldens = not asked.pop("no_goldens")
    files = {name: asked.pop(f"{name}_file") for name in ("json", "html", "markdown")}
    located = challenges.located(challenge_id)
    with display.Progress() as progress:
        found = calibrate.calibrate(located, progress, goldens=goldens, **asked)
    display.matrix(found)
    calibrate.write(found, {name: file for name, file in files.items() if file})
    ctx.exit({"passed": 0, "failed": EXIT_BELOW, "error": EXIT_VOID}[found.outcome])


def _fail(error: HarnessError, code: int) -> None:
    click.echo(f"{click.style('error:', fg='red', bold=True)} {error}", err=True)
    raise SystemExit(code)
