# A service that is killed comes back by itself, and what it had acknowledged is there.
_: {
  testScript = ''
    import json

    machine.succeed(f"jimbot health {services} --wait --timeout 60")

    def stored():
        return json.loads(ours("db status events --json"))["events"]["position"]

    play("RESTART")
    before, games = stored(), ours("games list --json")
    assert "RESTART" in games, games
    for service in services.split():
        pid = machine.succeed(f"systemctl show -P MainPID {unit(service)}").strip()
        machine.succeed(f"kill -9 {pid}")
        machine.wait_until_succeeds(
            f"test $(systemctl show -P MainPID {unit(service)}) != {pid}"
            f" && systemctl is-active {unit(service)}",
            timeout=120,
        )
    machine.succeed(f"jimbot health {services} --wait --timeout 60")
    assert stored() >= before, "events that were there are gone"
    assert ours("games list --json") == games
  '';
}
