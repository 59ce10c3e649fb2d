# Everything comes up, says that it is well, and nothing listens but on loopback, and on the bridge
# of the containers, where podman's names are served to them alone.
{ lib, appliance, ... }:
let
  bridge = lib.removeSuffix "0" (lib.head (lib.splitString "/" appliance.table.containers.subnet));
in
{
  testScript = ''
    machine.succeed(f"jimbot health {services}")
    for service in services.split():
        machine.succeed(f"systemctl is-active {unit(service)}")
    open_ports = machine.succeed("ss -Hltn | awk '{print $4}' | grep -vE '^(127\\.|\\[::1\\]|${
        lib.replaceStrings [ "." ] [ "\\\\." ] bridge
    })' || true")
    assert not open_ports.strip(), f"reachable from outside: {open_ports}"
  '';
}
