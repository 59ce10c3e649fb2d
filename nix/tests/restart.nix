# A service that is killed comes back by itself, and what it had acknowledged is there.
_: {
  testScript = ''
    machine.succeed(f"jimbot health {services} --wait --timeout 60")
    import json

    def stored():
        told = machine.succeed("runuser -u jimbot -- jimbot db status events --json")
        return json.loads(told)["events"]["position"]

    before = stored()
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
  '';
}
