# A game is played through the WebSocket, and every event of it is in the log.
_: {
  testScript = ''
    import json

    machine.succeed("jimbot health mcp --wait --timeout 60")
    told = " ".join(play("NIXTEST").split())
    (game,) = json.loads(ours("games list --json"))["games"]
    assert game["seed"] == "NIXTEST", game
    assert f"after {game['actions']} actions" in told, told
    kept = json.loads(ours(f"games show {game['game_id']} --json"))["actions"]
    assert [action["number"] for action in kept] == list(range(game["actions"])), kept
  '';
}
