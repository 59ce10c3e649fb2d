# Everything comes up, says that it is well, and nothing but loopback listens.
_: {
  testScript = ''
    machine.succeed(f"jimbot health {services}")
    for service in services.split():
        machine.succeed(f"systemctl is-active {unit(service)}")
    open_ports = machine.succeed("ss -Hltn | awk '{print $4}' | grep -vE '^(127\\.|\\[::1\\])' || true")
    assert not open_ports.strip(), f"reachable from outside: {open_ports}"
  '';
}
