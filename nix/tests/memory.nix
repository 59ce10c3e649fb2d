# The table's limits are the kernel's: of slices, of services, and of who is killed.
{ appliance, ... }:
let
  inherit (appliance) table;
  scale = table.profiles.ci.memory_scale;
  mebibytes = megabytes: toString (builtins.floor (megabytes * scale) * 1024 * 1024);
in
{
  testScript = ''
    root = "/sys/fs/cgroup/jimbot.slice"
    api = f"{root}/jimbot-system.slice/jimbot-system-api.slice"
    expected = {
        f"{api}/memory.max": "${mebibytes (appliance.groupMemory table "api")}",
        f"{root}/jimbot-graph.slice/memory.max": "${mebibytes (appliance.groupMemory table "graph")}",
    }
    # A slice that nothing runs in is not there unless it is started.
    machine.succeed("systemctl start jimbot-system-api.slice jimbot-graph.slice")
    for path, limit in expected.items():
        found = machine.succeed(f"cat {path}").strip()
        assert found == limit, f"{path}: {found}, the table has {limit}"
    # One that takes more than its group has is killed, and nothing else is. Before that it is slowed
    # down, for minutes, and all of its group with it.
    machine.succeed("systemctl set-property --runtime jimbot-system-api.slice MemoryHigh=infinity")
    machine.fail(
        "systemd-run --wait --collect -p Slice=jimbot-system-api.slice"
        " /run/current-system/sw/bin/tail /dev/zero"
    )
    machine.succeed(f"jimbot health {services} --wait --timeout 60")
  '';
}
