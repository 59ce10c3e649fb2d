# A game is played through the WebSocket, and every event of it is in the log.
_: {
  testScript = ''
    machine.succeed("jimbot health mcp --wait --timeout 60")
    machine.execute("runuser -u jimbot -- jimbot game serve --port 12346 >&2 &")
    machine.wait_for_open_port(12346)
    machine.succeed(
        "runuser -u jimbot -- jimbot play --game balatrobot --auto --no-advice"
        " --seed NIXTEST --policy heuristic",
        timeout=300,
    )
    games = machine.succeed("runuser -u jimbot -- jimbot games list")
    assert "NIXTEST" in games, games
  '';
}
