"""Every known submission of every challenge can be made, and a broken one says what is wrong with it, and where."""

from __future__ import annotations

import pytest
from a_challenge import DIFF, HEADERS, made, tracked

from grading.calibration.matrix import automatic
from harness import challenge as challenges
from harness.calibration import known as known_submissions
from harness.calibration.making import make
from harness.challenge import HOME
from harness.errors import ChallengeError
from harness.submission import export

CHALLENGES = challenges.find()
PATCHES = sorted(HOME.glob("*/submissions/flawed/*.patch"))
GOLDENS = [
    (name, golden) for name in CHALLENGES for golden in known_submissions.read(challenges.load(HOME / name)).goldens
]


@pytest.mark.parametrize("path", PATCHES, ids=lambda path: path.stem)
def test_every_patch_applies_and_names_criteria_of_the_rubric(path, tmp_path):
    challenge = challenges.load(path.parents[2])
    known = known_submissions.read(challenge)
    header = known.flawed[path.stem].header
    assert set(header.loses) <= {criterion.id for criterion in automatic(challenge.spec.rubric)}
    folder = make(known, path.stem, tmp_path)
    base = make(known, header.base, tmp_path / "base")
    assert export(folder, tmp_path / "1").digest != export(base, tmp_path / "2").digest


@pytest.mark.parametrize(("name", "golden"), GOLDENS)
def test_every_golden_submission_can_be_made(name, golden, tmp_path):
    known = known_submissions.read(challenges.load(HOME / name))
    assert "Dockerfile" in tracked(make(known, golden, tmp_path), tmp_path / "exported")


@pytest.mark.parametrize("name", CHALLENGES)
def test_the_reference_is_made_as_it_is(name, tmp_path):
    challenge = challenges.load(HOME / name)
    folder = make(known_submissions.read(challenge), "reference", tmp_path)
    own = export(challenge.folder / "submissions" / "reference", tmp_path / "own")
    # The same digest: the reference's image is built once for it and for the load stage.
    assert export(folder, tmp_path / "made").digest == own.digest


def test_there_are_known_submissions():
    assert len(PATCHES) >= 4


def test_a_flawed_submission_bears_its_faults_name(home, write, tmp_path):
    write("flawed/says_dead.patch", f"{HEADERS}\nSome prose.\n\n--- not a diff\n\n{DIFF}")
    files = made(home, "says_dead", tmp_path / "out")
    assert files["app.py"].read_text() == "import this\nalive = False\n"
    assert export(tmp_path / "out" / "says_dead", tmp_path / "exported").name == "says_dead"


def test_headers_go_on_in_the_next_line(home, write):
    write("flawed/f.patch", HEADERS.replace("pinned", "pinned,\n predictions") + f"\n{DIFF}")
    assert known_submissions.read(challenges.load(home)).flawed["f"].header.loses == ("pinned", "predictions")


@pytest.mark.parametrize(
    ("content", "line", "said"),
    [
        (HEADERS.replace("Loses: pinned\n", "") + f"\n{DIFF}", 1, "loses: field required"),
        (HEADERS.replace("pinned", "pined") + f"\n{DIFF}", 3, "no automatic criterion of the rubric is called 'pined'"),
        (HEADERS.replace("pinned", "trade_offs") + f"\n{DIFF}", 3, "called 'trade_offs'"),
        (HEADERS.replace("pinned", "") + f"\n{DIFF}", 3, "loses"),
        (HEADERS.replace("reference", "flask") + f"\n{DIFF}", 2, "no golden 'flask'; there are: reference"),
        (HEADERS.replace("Contract", "Astrology") + f"\n{DIFF}", 4, "source"),
        (f"{HEADERS}Colour: red\n\n{DIFF}", 5, "colour: extra"),
        (f"{HEADERS}Loses: pinned\n\n{DIFF}", 5, "given twice"),
        (f"{HEADERS}{DIFF}", 5, "an empty line ends them"),
        (DIFF, 1, "not a header"),
    ],
)
def test_a_broken_header_is_named_with_its_line(home, write, content, line, said):
    path = write("flawed/f.patch", content)
    with pytest.raises(ChallengeError) as error:
        known_submissions.read(challenges.load(home))
    assert f"{path}:{line}: " in str(error.value)
    assert said in str(error.value)


OTHER = DIFF.replace("alive = True", "alive = None")
BELOW = DIFF.replace("app.py", "service/app.py")
CORRUPT = DIFF.replace("@@ -1,2 +1,2 @@", "@@ -1,9 +1,9 @@")
BACK = DIFF + DIFF.replace("-alive = True\n+alive = False", "-alive = False\n+alive = True")


@pytest.mark.parametrize(
    ("diff", "line", "said"),
    [
        (OTHER, 9, "does not apply to reference"),
        (BELOW, 6, "does not apply to reference"),
        (CORRUPT, 13, "corrupt patch"),
        (BACK, 6, "changes nothing"),
        ("no diff at all\n", 6, "there is no diff"),
    ],
)
def test_a_patch_that_does_not_apply_is_named_with_its_line(home, write, diff, line, said):
    path = write("flawed/f.patch", f"{HEADERS}\n{diff}")
    with pytest.raises(ChallengeError) as error:
        made(home, "f", home.parent / "out")
    assert f"{path}:{line}: " in str(error.value), str(error.value)
    assert said in str(error.value)


def test_names_are_taken_once_and_fit_for_a_folder(home, write):
    write("flawed/reference.patch", f"{HEADERS}\n{DIFF}")
    with pytest.raises(ChallengeError, match="another known submission named 'reference'"):
        known_submissions.read(challenges.load(home))
    (home / "submissions" / "flawed" / "reference.patch").rename(home / "submissions" / "flawed" / "Root User.patch")
    with pytest.raises(ChallengeError, match="small letters"):
        known_submissions.read(challenges.load(home))


OVERLAY = 'title = "Flask on gunicorn"\nbase = "reference"\nremove = ["model.bin"]\n'


def test_a_golden_submission_replaces_adds_and_removes(home, write, tmp_path):
    write("golden/flask/overlay.toml", OVERLAY)
    write("golden/flask/app.py", "import flask\n")
    write("golden/flask/conf/gunicorn.py", "workers = 1\n")
    files = made(home, "flask", tmp_path)
    assert set(files) == {"app.py", ".gitignore", "conf/gunicorn.py"}
    assert files["app.py"].read_text() == "import flask\n"


def test_a_fault_may_be_made_from_a_golden_submission(home, write, tmp_path):
    write("golden/flask/overlay.toml", OVERLAY)
    write("golden/flask/wsgi.py", "import flask\n")
    write("flawed/f.patch", HEADERS.replace("reference", "flask") + f"\n{DIFF}")
    files = made(home, "f", tmp_path)
    assert set(files) == {"app.py", ".gitignore", "wsgi.py"}
    assert "alive = False" in files["app.py"].read_text()


@pytest.mark.parametrize(
    ("overlay", "said"),
    [
        (OVERLAY.replace("model.bin", "no.bin"), "overlay.toml:3: remove: the reference has no 'no.bin'"),
        (OVERLAY.replace("model.bin", "../reference"), "overlay.toml:3: remove"),
        (OVERLAY.replace('"reference"', '"flask"'), "overlay.toml:2: base"),
        (OVERLAY + "colour = 1\n", "overlay.toml:4: colour"),
        ("title = ", "is not valid TOML"),
    ],
)
def test_a_broken_overlay_is_named_with_its_line(home, write, overlay, said, tmp_path):
    write("golden/flask/overlay.toml", overlay)
    with pytest.raises(ChallengeError) as error:
        made(home, "flask", tmp_path / "out")
    assert said in str(error.value)


def test_a_golden_folder_without_overlay_toml_is_an_error(home, write):
    write("golden/flask/app.py", "import flask\n")
    with pytest.raises(ChallengeError, match=r"overlay\.toml cannot be read"):
        known_submissions.read(challenges.load(home))
