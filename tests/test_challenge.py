"""A broken challenge says what is wrong with it, and where."""

from __future__ import annotations

import pytest

from harness import challenge as challenges
from harness.errors import ChallengeError, UsageError
from harness.verify import verify

VALID = """\
id = "sample"
version = "1.0"
title = "Sample"
role = "data scientist"
summary = "A sample."
hours = 2
stages = ["repository"]

[contract]
ready_seconds = 30

[[rubric.criteria]]
id = "files"
title = "Files"
skill = "reproducibility"
points = 60
kind = "checks"
stage = "repository"
checks = ["readme_present"]

[[rubric.criteria]]
id = "words"
title = "Words"
skill = "communication"
points = 40
kind = "manual"
guidance = "Read them."
"""


def write(tmp_path, text, name="sample"):
    (tmp_path / name).mkdir()
    (tmp_path / name / "challenge.toml").write_text(text)
    return tmp_path / name


def test_a_valid_challenge_is_read_and_verified(tmp_path):
    found = challenges.load(write(tmp_path, VALID))
    verify(found)
    assert found.spec.contract.ready_seconds == 30
    assert challenges.find(tmp_path) == ["sample"]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("ready_seconds = 30", 'ready_seconds = "soon"', r":10: contract.ready_seconds: .*number.*, not 'soon'"),
        ("ready_seconds = 30", "redy_seconds = 30", r":10: contract.redy_seconds: extra inputs are not permitted"),
        ('skill = "communication"', 'skill = "charm"', r":24: rubric.criteria.1.skill: .*'communication'.*'charm'"),
        ("points = 40", "points = -4", r":25: rubric.criteria.1.points: .*greater than 0, not -4"),
        ("points = 40", "points = 41", r"rubric: the points .* must add up to 100; they add up to 101"),
        ('kind = "manual"', 'kind = "guess"', r":21: rubric.criteria.1: .*'manual'"),
        ('title = "Sample"\n', "", r":1: title: field required"),
        ("hours = 2", "hours = ", r"not valid TOML: .*line 6"),
        ('id = "sample"', 'id = "other"', r":1: id: should be the folder's name 'sample', not 'other'"),
    ],
)
def test_a_broken_file_names_the_line_the_key_and_what_was_expected(tmp_path, old, new, said):
    assert old in VALID
    folder = write(tmp_path, VALID.replace(old, new, 1))
    with pytest.raises(ChallengeError, match=said) as caught:
        challenges.load(folder)
    assert str(folder / "challenge.toml") in str(caught.value)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('["repository"]', '["repository", "astrology"]', r"there is no stage 'astrology'; there are: .*repository"),
        ('stage = "repository"', 'stage = "image"', r"criterion 'files': rests on the stage 'image', which does"),
        ('["readme_present"]', '["readme_is_witty"]', r"'repository' records no 'readme_is_witty'; it records: "),
        ("[contract]", '[stage.repository]\nmood = "good"\n[contract]', r":10: stage.repository.mood: extra inputs"),
        ("[contract]", '[public.repository]\nmood = "good"\n[contract]', r":10: public.repository.mood: extra inputs"),
    ],
)
def test_a_challenge_that_its_stages_cannot_serve_is_refused(tmp_path, old, new, said):
    found = challenges.load(write(tmp_path, VALID.replace(old, new, 1)))
    with pytest.raises(ChallengeError, match=said):
        verify(found)


def test_a_band_whose_edge_the_stage_does_not_know_is_refused(tmp_path):
    bands = 'kind = "bands"\nmeasurement = "throughput_ratio"\nbands = [{ at = 0.9, share = 1 }]'
    text = VALID.replace(
        'kind = "checks"\nstage = "repository"\nchecks = ["readme_present"]', f'{bands}\nstage = "load"'
    )
    text = text.replace('["repository"]', '["load"]')
    with pytest.raises(ChallengeError, match=r"criterion 'files': a band begins at 0.9; name it under 'edges'"):
        verify(challenges.load(write(tmp_path, text)))
    (tmp_path / "named").mkdir()
    verify(challenges.load(write(tmp_path / "named", f"{text}\n[stage.load]\nedges = [0.9]\n")))


def test_an_unknown_challenge_lists_those_there_are(tmp_path):
    write(tmp_path, VALID)
    with pytest.raises(UsageError, match=r"no challenge 'x'\n.*sample"):
        challenges.named("x", tmp_path)
    assert challenges.named(None, tmp_path).id == "sample"


def test_a_file_of_bytes_that_are_no_text_is_refused(tmp_path):
    folder = write(tmp_path, VALID)
    (folder / "challenge.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ChallengeError, match="not valid TOML"):
        challenges.load(folder)


@pytest.mark.parametrize("name", challenges.find())
def test_every_challenge_of_ours_is_valid(name):
    verify(challenges.load(challenges.HOME / name))
