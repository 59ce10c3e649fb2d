# A game is played through the WebSocket, and every event of it is in the log.
{ ... }:
{
  testScript = ''
    machine.succeed("jimbot health mcp --wait --timeout 60")
    machine.succeed("jimbot play --auto --seed NIXTEST --policy heuristic", timeout=300)
    games = machine.succeed("runuser -u jimbot -- jimbot games list")
    assert "NIXTEST" in games, games
  '';
}
