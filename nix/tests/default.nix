# The NixOS VM tests: every scenario of this folder, natively and, where it says so, in containers.
{
  self,
  lib,
  pkgs,
  appliance,
}:
let
  # A machine as small as the table's least profile, without a GPU.
  machine = settings: {
    imports = [ self.nixosModules.default ];
    virtualisation = {
      memorySize = appliance.table.profiles.ci.minimum.memory_mb;
      cores = 4;
      diskSize = 8 * appliance.table.machine.disk_free_mb;
    };
    services.jimbot = lib.mkMerge [
      {
        enable = true;
        environment = lib.mkDefault "development";
        profile = "ci";
        gpu.enable = false;
        training.enable = false;
      }
      settings
    ];
  };

  scenarios = {
    services = ./services.nix;
    game = ./game.nix;
    restart = ./restart.nix;
    memory = ./memory.nix;
    backup = ./backup.nix;
    alert = ./alert.nix;
    rollback = ./rollback.nix;
  };

  # Of each scenario the runtimes in which it tells something of its own.
  runtimes = {
    services = [
      "native"
      "containers"
    ];
    memory = [
      "native"
      "containers"
    ];
  };

  test =
    name: runtime:
    let
      scenario = import scenarios.${name} { inherit lib appliance; };
    in
    pkgs.testers.runNixOSTest {
      name = "jimbot-${name}-${runtime}";
      nodes.machine = {
        imports = [
          (machine (scenario.settings or { } // { inherit runtime; }))
        ] ++ scenario.modules or [ ];
      };
      testScript = ''
        machine.wait_for_unit("jimbot.target", timeout=900)
        services = "mcp analytics claude"
        unit = lambda service: "${
          if runtime == "native" then "jimbot" else "podman-jimbot"
        }-" + service + ".service"
        ${scenario.testScript}
      '';
    };
in
lib.listToAttrs (
  lib.concatLists (
    lib.mapAttrsToList (
      name: _:
      map (runtime: lib.nameValuePair "${name}-${runtime}" (test name runtime)) (
        runtimes.${name} or [ "native" ]
      )
    ) scenarios
  )
)
