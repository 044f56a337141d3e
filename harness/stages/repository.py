"""The repository: what the submission's files say before anything of it is built or run."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath

from pydantic import Field

from grading.evidence import Record
from harness.inspection import ci, documents, entrypoint, junk, libraries, loads, pins, secrets, suite
from harness.inspection.checkout import Checkout
from harness.inspection.claims import Claim, listed
from harness.inspection.dockerfile import Dockerfile, parse
from harness.stages import Stage

NEEDS_SERVICE = False
TIMED = False
TEMPLATE = Path(__file__).resolve().parents[2] / "candidate_template"


class Settings(Record):
    """What is asked of the documents. Headings, quotes and lines of the template are no words of one's own."""

    readme_words: int = Field(40, ge=1)
    decisions: str = "DECISIONS.md"
    decisions_words: int = Field(150, ge=1)


def run(stage: Stage[Settings]) -> None:
    """Look at the files and record what is there."""
    repository = Repository(Checkout(stage.subject.submission.files), stage.settings)
    for claim in CLAIMS:
        stage.check(claim.name, *claim.judge(repository))


@dataclass(frozen=True)
class Repository:
    """The files, read once for all claims."""

    files: Checkout
    settings: Settings

    @cached_property
    def dockerfile(self) -> Dockerfile:
        """The one that is built."""
        return parse(self.files.text("Dockerfile"))

    @cached_property
    def tests(self) -> suite.Suite:
        """What the tests would notice."""
        return suite.read(self.files)

    @cached_property
    def pipeline(self) -> ci.Pipeline:
        """What continuous integration runs."""
        return ci.read(self.files)

    @cached_property
    def readme(self) -> str:
        """The README's name, or an empty string."""
        return documents.readme(self.files) or ""


def _dockerfile(of: Repository) -> str:
    return "" if of.dockerfile.stages else "There is no Dockerfile (with a FROM) at the top"


def _dockerignore(of: Repository) -> str:
    there = any(of.files.text(name).strip() for name in (".dockerignore", "Dockerfile.dockerignore"))
    return "" if there else "There is no .dockerignore, so all that lies in the folder gets into the build's context"


def _base(of: Repository) -> str:
    images = of.dockerfile.foreign_images()
    floating = (f"line {line}: {why}" for image, line in images.items() if (why := pins.floating_image(image)))
    return _dockerfile(of) or listed("Base images are not pinned", floating)


def _dependencies(of: Repository) -> str:
    found = pins.dependencies(of.files, of.dockerfile)
    nothing = [] if found.files or found.loose else ["there is neither a lock file nor a list of requirements"]
    return listed("Dependencies have no fixed version", [*found.loose, *nothing])


def _libraries(of: Repository) -> str:
    found = libraries.differing(of.files, of.dockerfile)
    return listed("The model is loaded by another version of its library than saved it", found)


def _exec_form(of: Repository) -> str:
    swallowed = entrypoint.swallows_signals(of.files, of.dockerfile)
    return f"SIGTERM may never reach the service: {swallowed}" if swallowed else ""


def _secrets(of: Repository) -> str:
    return listed("Secrets are in the repository", map(str, secrets.scan(of.files)))


def _junk(of: Repository) -> str:
    found = [(name, what) for name in of.files.names if (what := _litter(of.files, name))]
    return f"These files do not belong in a repository: {junk.shown(found)}" if found else ""


def _litter(files: Checkout, name: str) -> str:
    large = files.size(name) > junk.LARGE_MB * 2**20 and not files.in_model(name)
    kind = "an environment file" if secrets.is_dotenv(name) else junk.in_repository(name)
    return kind or (f"larger than {junk.LARGE_MB} MB" if large else "")


def _unsafe_load(of: Repository) -> str:
    return listed("A client can run code in the service", loads.unsafe_loads(of.files))


def _tests(of: Repository) -> str:
    return "" if of.tests.files else "There are no tests"


def _stubbed(of: Repository) -> str:
    return f"The tests would pass with a broken model: {of.tests.stubbed}" if of.tests.stubbed else ""


def _ci(of: Repository) -> str:
    return "" if of.pipeline.files else "There is no continuous integration"


def _ci_tests(of: Repository) -> str:
    return "" if of.pipeline.runs_tests else "Nothing in continuous integration runs the tests and fails when they fail"


def _ci_image(of: Repository) -> str:
    return "" if of.pipeline.builds_image else "Nothing in continuous integration builds the image"


def _readme(of: Repository) -> str:
    length = documents.own_words(of.files.text(of.readme), _template("README.md"))
    too_short = f"The README says {length} words of its own; {of.settings.readme_words} are the least"
    return "" if length >= of.settings.readme_words else too_short if of.readme else "There is no README"


def _readme_commands(of: Repository) -> str:
    missing = "" if of.readme else "There is no README"
    return missing or listed("The README's commands do not work", documents.broken_commands(of.files, of.readme))


def _decisions(of: Repository) -> str:
    wanted = of.settings.decisions
    name = next((n for n in of.files.own if PurePosixPath(n).name.lower() == wanted.lower()), "")
    length = documents.own_words(of.files.text(name), _template(wanted))
    least = of.settings.decisions_words
    too_short = f"{name} holds {length} words of your own; {least} are the least"
    return "" if length >= least else too_short if name else f"There is no {wanted}"


def _template(name: str) -> str:
    path = TEMPLATE / name
    return path.read_text("utf-8") if path.is_file() else ""


CLAIMS = (
    Claim("dockerfile_present", "There is a Dockerfile at the top.", "Add one.", _dockerfile),
    Claim("dockerignore_present", "There is a .dockerignore.", "List what the image does not need.", _dockerignore),
    Claim("base_pinned", "Every base image names its version.", "Name major and minor version, or a digest.", _base),
    Claim(
        "dependencies_pinned",
        "Every dependency has a fixed version.",
        "Pin each with ==, or commit a lock file and install from it.",
        _dependencies,
    ),
    Claim(
        "model_library_version",
        "The model is loaded by the version of its library that saved it, as far as the files tell.",
        "Install what the model's requirements.txt names, or train it anew with what you install.",
        _libraries,
    ),
    Claim(
        "exec_form",
        "The service is the container's main process and gets its signals.",
        'Use the exec form, CMD ["program", "argument"], or end the script with `exec program`.',
        _exec_form,
    ),
    Claim(
        "no_secrets",
        "No secret was found in the files.",
        "Revoke them, take them out of git's history too, and read them from the environment at run time.",
        _secrets,
    ),
    Claim("no_junk", "Nothing lies about.", "Remove them, and list them in .gitignore.", _junk),
    Claim(
        "no_unsafe_load",
        "Nothing that a client sends is unpickled or evaluated.",
        "Never load or evaluate what a request names.",
        _unsafe_load,
    ),
    Claim("tests_present", "There are tests.", "Add some that start the application and ask for predictions.", _tests),
    Claim(
        "tests_not_stubbed",
        "At least one test asserts something about real predictions.",
        "Let one test load the model and check what it answers.",
        _stubbed,
    ),
    Claim("ci_present", "There is continuous integration.", "Add a workflow that a push starts.", _ci),
    Claim("ci_runs_tests", "Continuous integration runs the tests.", "Let every push run them.", _ci_tests),
    Claim("ci_builds_image", "Continuous integration builds the image.", "Let every push build it.", _ci_image),
    Claim("readme_present", "There is a README.", "Say how to build, run and test the service.", _readme),
    Claim(
        "readme_commands",
        "The README's commands name files and targets that exist.",
        "Run each of them once in a fresh clone.",
        _readme_commands,
    ),
    Claim(
        "decisions_present",
        "The decisions are written down.",
        "Explain the trade-offs that the brief asks about, in your own words.",
        _decisions,
    ),
)
RECORDS = tuple(claim.name for claim in CLAIMS)
