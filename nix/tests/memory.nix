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
    for path, limit in expected.items():
        found = machine.succeed(f"cat {path}").strip()
        assert found == limit, f"{path}: {found}, the table has {limit}"
    # One that takes more than its group has is killed, and nothing else is.
    machine.fail(
        "systemd-run --wait --collect -p Slice=jimbot-system-api.slice"
        " /run/current-system/sw/bin/tail /dev/zero"
    )
    machine.succeed(f"jimbot health {services} --wait --timeout 60")
  '';
}
