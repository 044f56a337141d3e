"""The parser reads Dockerfiles as the builder does."""

from __future__ import annotations

from harness.inspection.dockerfile import parse


def keywords(text):
    return [instruction.keyword for instruction in parse(text).instructions]


def test_continuation_lines_skip_comments_and_empty_lines():
    (_, run) = parse("FROM a\nRUN one && \\\n  # why\n\n  two\n").instructions
    assert run.value.split() == ["one", "&&", "two"]
    assert run.line == 2


def test_the_escape_directive_changes_the_continuation():
    assert keywords("# escape=`\nFROM a\nRUN one `\n  two\nRUN dir c:\\\nCMD x\n") == ["FROM", "RUN", "RUN", "CMD"]


def test_the_lines_of_a_here_document_are_no_instructions():
    text = 'FROM a\nRUN <<EOF\nCMD nothing\nEOF\nCOPY <<-"A" <<B /x/\n\tFROM b\n\tA\nUSER c\nB\nUSER d\n'
    assert keywords(text) == ["FROM", "RUN", "COPY", "USER"]
    assert parse(text).instructions[2].heredocs == ("\tFROM b", "USER c")


def test_flags_stand_apart_from_the_value():
    run = parse("FROM a\nRUN --mount=type=cache,target=/c --network=none pip install x\n").instructions[1]
    assert run.flags == ("--mount=type=cache,target=/c", "--network=none")
    assert run.value == "pip install x"


def test_exec_form_is_a_list_of_strings_and_nothing_else():
    text = 'FROM a\nCMD ["a", \\\n "b"]\nCMD [\'a\']\nCMD ["a", 1]\nCMD a\nCMD {}\n'
    assert [i.argv for i in parse(text).instructions[1:]] == [["a", "b"], None, None, None, None]


def test_arguments_before_the_first_stage_fill_in_its_name():
    text = "ARG V=3.11\nARG T=${V}-slim\nFROM --platform=linux/amd64 python:${T} AS base\nFROM ${X:-debian:12}\n"
    assert [(s.base, s.name) for s in parse(text).stages] == [("python:3.11-slim", "base"), ("debian:12", "")]


def test_images_from_elsewhere_are_told_from_stages_of_its_own():
    text = "FROM a:1 AS one\nFROM scratch\nCOPY --from=one /x /\nCOPY --from=0 /y /\nCOPY --from=b:2 /z /\nFROM One\n"
    assert parse(text).foreign_images() == {"a:1": 1, "b:2": 5}


def test_the_final_image_is_the_last_stage_and_those_it_stands_on():
    dockerfile = parse("FROM a AS one\nFROM b AS two\nFROM one AS three\nFROM three\n")
    assert [stage.base for stage in dockerfile.final] == ["a", "one", "three"]


def test_stages_that_something_is_copied_from_contribute_and_others_do_not():
    text = "FROM a AS one\nCOPY --from=two /x /\nFROM b AS two\nFROM c AS check\nFROM d\nCOPY --from=0 /y /\n"
    assert [stage.base for stage in parse(text).contributing] == ["d", "a", "b"]


def test_nonsense_is_passed_over():
    for text in (
        "",
        "\0",
        "FROM",
        "RUN <<EOF\nx",
        "FROM a\n\\\n\\",
        "FROM a AS a\nFROM a\nFROM A AS b\n",
        "CMD [" * 9999,
    ):
        parse(text).foreign_images()
        assert len(parse(text).final) <= 3
