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

        def ours(command: str, timeout: int = 60) -> str:
            return machine.succeed(f"runuser -u jimbot -- jimbot {command}", timeout=timeout)

        # A game through the WebSocket, as the terminal tells it; once a machine.
        def play(seed: str) -> str:
            machine.execute("runuser -u jimbot -- jimbot game serve --port 12346 >&2 &")
            machine.wait_for_open_port(12346)
            how = f"--game balatrobot --auto --no-advice --seed {seed} --policy heuristic"
            return ours(f"play {how}", timeout=300)

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
