"""The store of deliveries: each once, whoever comes at the same time, whenever the process ends."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from harness.hooks.deliveries import State
from harness.hooks.pushes import Push
from harness.server.database import Database
from harness.server.deliveries import SqlDeliveries

PUSH = Push("github", "ada/work", "a" * 40, "main")


@pytest.fixture
def database(tmp_path):
    database = Database(f"sqlite:///{tmp_path}/intake.db")
    database.migrate()
    yield database
    database.close()


@pytest.fixture
def store(database):
    return SqlDeliveries(database)


def test_a_delivery_is_new_once(store):
    kept, new = store.record("one", PUSH)
    assert new
    assert (kept.push, kept.state) == (PUSH, State.RECEIVED)
    assert store.record("one", PUSH) == (kept, False)


def test_two_deliveries_of_one_commit_are_one_push(store):
    kept, _ = store.record("one", PUSH)
    assert store.record("two", replace(PUSH, branch="other")) == (kept, False)


def test_commits_repositories_and_providers_are_told_apart(store):
    pushes = [PUSH, replace(PUSH, sha="b" * 40), replace(PUSH, repository="eve/work"), replace(PUSH, provider="gitlab")]
    found = [store.record("the same id", push) for push in pushes[:1]] + [
        store.record(str(at), push) for at, push in enumerate(pushes[1:])
    ]
    assert all(new for _, new in found)
    assert len({kept.id for kept, _ in found}) == 4


def test_a_delivery_sent_again_with_another_body_changes_nothing(store):
    kept, _ = store.record("one", PUSH)
    assert store.record("one", replace(PUSH, sha="b" * 40)) == (kept, False)


def test_of_many_at_once_one_is_new_and_one_takes_it_in_hand(store):
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda at: store.record(f"id-{at % 4}", PUSH), range(24)))
        assert sum(new for _, new in found) == 1
        assert len({kept.id for kept, _ in found}) == 1
        taken = list(pool.map(lambda _: store.claim(found[0][0].id), range(24)))
    assert sum(kept is not None for kept in taken) == 1


def test_what_failed_can_be_delivered_again(store):
    kept, _ = store.record("one", PUSH)
    assert store.claim(kept.id)
    store.move(kept.id, State.FAILED, "no server")
    again, new = store.record("one", PUSH)
    assert new
    assert (again.state, again.note) == (State.RECEIVED, "")
    assert store.record("one", PUSH)[1] is False


def test_what_was_in_hand_when_the_process_ended_is_taken_up_by_the_next(store, database):
    numbers = [store.record(str(at), replace(PUSH, sha=f"{at}" * 40))[0].id for at in range(4)]
    store.claim(numbers[1])
    store.move(numbers[2], State.QUEUED)
    store.move(numbers[3], State.FAILED)
    later = SqlDeliveries(database)
    assert later.reopen() == numbers[:2]
    assert later.claim(numbers[1])


def test_a_submission_s_pushes_are_found_by_its_digest_also_after_their_end(store):
    numbers = [store.record(str(at), replace(PUSH, sha=f"{at}" * 40))[0].id for at in range(3)]
    for number in numbers[:2]:
        store.move(number, State.QUEUED, "d" * 64)
    assert [kept.id for kept in store.queued()] == numbers[:2]
    store.end(numbers[0], State.GRADED)
    assert [kept.id for kept in store.queued()] == numbers[1:2]
    assert [(kept.id, kept.note) for kept in store.of("d" * 64)] == [(number, "d" * 64) for number in numbers[:2]]
