# A service that is killed comes back by itself, and what it had acknowledged is there.
{ ... }:
{
  testScript = ''
    machine.succeed(f"jimbot health {services} --wait --timeout 60")
    before = machine.succeed("runuser -u jimbot -- jimbot db status log --json")
    for service in services.split():
        pid = machine.succeed(f"systemctl show -P MainPID {unit(service)}").strip()
        machine.succeed(f"kill -9 {pid}")
        machine.wait_until_succeeds(
            f"test $(systemctl show -P MainPID {unit(service)}) != {pid}"
            f" && systemctl is-active {unit(service)}",
            timeout=120,
        )
    machine.succeed(f"jimbot health {services} --wait --timeout 60")
    after = machine.succeed("runuser -u jimbot -- jimbot db status log --json")
    print(before, after)
  '';
}
