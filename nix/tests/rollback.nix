# A generation that is bad is left by one command; the one before has its table and its health.
_: {
  modules = [
    {
      specialisation.changed.configuration.services.jimbot.settings.aggregation.flush_ms = 250;
    }
  ];
  testScript = ''
    machine.succeed(f"jimbot health {services} --wait --timeout 60")
    first = machine.succeed("readlink -f /run/current-system").strip()
    machine.succeed(f"{first}/specialisation/changed/bin/switch-to-configuration test")
    machine.succeed(f"jimbot health {services} --wait --timeout 120")
    machine.succeed("systemctl show -P Environment " + unit("mcp") + " | grep -q JIMBOT_TABLE")
    changed = machine.succeed("systemctl show -P Environment " + unit("mcp"))
    machine.succeed(f"{first}/bin/switch-to-configuration test")
    machine.succeed(f"jimbot health {services} --wait --timeout 120")
    assert machine.succeed("systemctl show -P Environment " + unit("mcp")) != changed
  '';
}
