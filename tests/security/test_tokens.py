from __future__ import annotations

import json
from pathlib import Path

import pytest

from jimbot.appliance import Home
from jimbot.security import tokens
from jimbot.security.errors import SecretError, TokenError
from jimbot.security.roles import GRANTED, ROLES
from jimbot.security.tokens import TokenStore
from tests.security.guarded import Guarded, security


@pytest.fixture
def file(guarded: Guarded) -> Path:
    return guarded.home.path / "secrets" / "tokens.json"


def store(guarded: Guarded) -> TokenStore:
    return guarded.entrance.tokens


def test_a_token_grants_its_role(guarded: Guarded) -> None:
    for role in ROLES:
        grant = store(guarded).check(guarded.tokens[role])
        assert grant is not None
        assert (grant.role, grant.scopes) == (role, GRANTED[role])


def test_roles_grow_but_a_viewer_never_writes() -> None:
    assert GRANTED["player"] < GRANTED["operator"] < GRANTED["admin"]
    assert not any(scope.endswith(":write") for scope in GRANTED["viewer"])
    assert "keys:write" not in GRANTED["operator"]


def test_scopes_narrow_a_role_and_never_widen_it(guarded: Guarded) -> None:
    token = guarded.create("narrow", "operator", scopes=["alerts:write"])
    grant = store(guarded).check(token)
    assert grant is not None
    assert grant.scopes == {"alerts:write"}
    with pytest.raises(TokenError, match="may not have keys:write"):
        guarded.create("wide", "player", scopes=["keys:write"])


def test_scopes_that_somebody_wrote_into_the_file_do_not_widen_it(
    guarded: Guarded, file: Path
) -> None:
    data = json.loads(file.read_text())
    for token in data["tokens"]:
        token["scopes"] = ["keys:write", "events:read"]
    file.write_text(json.dumps(data))
    grant = store(guarded).check(guarded.tokens["viewer"])
    assert grant is not None
    assert grant.scopes == {"events:read"}


@pytest.mark.parametrize(
    "text",
    [None, "", "wrong", "jbt_", "jbt_000000000000_" + "A" * 43, "x" * 10_000, "\ud800", "jbt_\n"],
)
def test_others_get_nowhere(guarded: Guarded, text: str | None) -> None:
    assert store(guarded).check(text) is None


def test_the_right_id_with_a_wrong_secret_gets_nowhere(guarded: Guarded) -> None:
    token = guarded.tokens["admin"]
    last = "A" if token[-1] != "A" else "E"
    assert store(guarded).check(token[:-1] + last) is None


def test_only_digests_are_kept_and_only_the_owner_reads_them(guarded: Guarded, file: Path) -> None:
    text = file.read_text()
    for token in guarded.tokens.values():
        assert token.split("_", 2)[2] not in text
    for path in (file, file.parent / "tokens.service"):
        assert path.stat().st_mode & 0o777 == 0o600
    assert file.parent.stat().st_mode & 0o077 == 0


def test_an_expired_token_gets_nowhere(guarded: Guarded) -> None:
    token = guarded.create("short", "viewer", days=1 / 86_400)
    later = [0.0]
    watched = TokenStore([guarded.home.path / "secrets" / "tokens.json"], lambda: later[0])
    grant = watched.check(token)
    assert grant is not None
    later[0] = 4e9
    assert watched.check(token) is None
    assert watched.grant(grant.id) is None
    assert watched.check(guarded.tokens["viewer"]) is not None


def test_a_revoked_token_is_out_at_once(guarded: Guarded) -> None:
    watched = store(guarded)
    grant = watched.check(guarded.tokens["player"])
    assert grant is not None
    guarded.revoke("player")
    assert watched.check(guarded.tokens["player"]) is None
    assert watched.grant(grant.id) is None
    assert watched.check(guarded.tokens["viewer"]) is not None
    with pytest.raises(TokenError, match="there is no token"):
        guarded.revoke("player")


def test_the_first_token_turns_tokens_on_and_nothing_turns_them_off(
    tmp_path: Path,
) -> None:
    home = Home(tmp_path)
    watched = TokenStore.of(security(), home)
    assert not watched.on
    text = tokens.create(home, security(), "one", "viewer").text
    assert watched.on
    assert watched.check(text) is not None
    (home.path / "secrets" / "tokens.json").unlink()
    assert watched.on
    assert watched.check(text) is None


@pytest.mark.parametrize("data", ["", "[]", "{", '{"version":1,"tokens":[{"id":"x"}]}', "\x00"])
def test_nobody_gets_in_by_a_damaged_file(guarded: Guarded, file: Path, data: str) -> None:
    file.write_text(data)
    assert store(guarded).on
    assert store(guarded).check(guarded.tokens["admin"]) is None


def test_nobody_gets_in_by_a_file_that_others_may_read(guarded: Guarded, file: Path) -> None:
    file.chmod(0o644)
    assert store(guarded).check(guarded.tokens["admin"]) is None
    with pytest.raises(SecretError, match="others than its owner"):
        guarded.create("more", "viewer")


def test_a_name_is_given_once(guarded: Guarded) -> None:
    with pytest.raises(TokenError, match="there is a token named"):
        guarded.create("admin", "viewer")


def test_our_own_programs_have_a_token_and_not_every_right(guarded: Guarded) -> None:
    own = tokens.own(guarded.home)
    grant = store(guarded).check(own)
    assert grant is not None
    assert "commands:write" not in grant.scopes
    assert tokens.headers(guarded.home) == {"Authorization": f"Bearer {own}"}
    assert tokens.headers(Home(guarded.home.path / "other")) == {}


def test_digests_of_old_are_refused_not_ignored(guarded: Guarded) -> None:
    (guarded.home.path / "secrets" / "mcp-tokens").write_text("0" * 64)
    with pytest.raises(TokenError, match="not read any more"):
        TokenStore.of(guarded.security, guarded.home)


def test_tokens_are_alike_in_nothing(guarded: Guarded) -> None:
    made = {guarded.create(f"t{number}", "viewer") for number in range(20)}
    assert len(made) == 20
    assert len({text.split("_", 2)[2] for text in made}) == 20
    assert all(len(text.split("_", 2)[2]) == 43 for text in made)  # 256 bits


def test_a_check_is_quick(guarded: Guarded) -> None:
    import time

    watched = store(guarded)
    began = time.process_time()
    for _ in range(1000):
        watched.check(guarded.tokens["player"])
    assert time.process_time() - began < 2
