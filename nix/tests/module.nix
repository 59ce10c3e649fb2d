# The module, evaluated: what it makes agrees with the table, and what cannot be meant is refused.
{
  self,
  lib,
  nixpkgs,
  pkgs,
  appliance,
}:
let
  base = {
    nixpkgs.hostPlatform = "x86_64-linux";
    boot.loader.grub.enable = false;
    fileSystems."/" = {
      device = "/dev/vda";
      fsType = "ext4";
    };
    system.stateVersion = "24.11";
    services.jimbot.enable = true;
  };

  evaluate =
    settings:
    (nixpkgs.lib.nixosSystem {
      inherit (pkgs) system;
      modules = [
        self.nixosModules.default
        base
        { services.jimbot = settings; }
      ];
    }).config;

  complaints =
    settings: map (row: row.message) (lib.filter (row: !row.assertion) (evaluate settings).assertions);

  refuses =
    name: settings: part:
    let
      said = complaints settings;
    in
    lib.optional (
      !(lib.any (lib.hasInfix part) said)
    ) "${name}: expected a complaint with \"${part}\", got [${lib.concatStringsSep "; " said}]";

  # Wrong types throw, which tryEval catches; the path of a secret is looked at when it is used.
  throws =
    name: settings: value:
    lib.optional (builtins.tryEval (builtins.deepSeq (value (evaluate settings).services.jimbot) true)).success "${name}: was accepted";

  quiet = {
    environment = "development";
    gpu.enable = false;
  };
  workstation = self.nixosConfigurations.workstation.config;
  inherit (appliance) table;

  same =
    name: expected: found:
    lib.optional (
      expected != found
    ) "${name}: the table has ${toString expected}, the unit ${toString found}";

  agreement = lib.concatLists (
    lib.mapAttrsToList (
      group: row:
      let
        slice = workstation.systemd.slices.${appliance.sliceOf table group}.sliceConfig;
      in
      same "MemoryMax of ${group}" (appliance.scaled 1.0 (
        appliance.groupMemory table group
      )) slice.MemoryMax
      ++ same "CPUWeight of ${group}" table.placement.cpu_weight.${group} slice.CPUWeight
      ++ lib.optionals (row.cores > 0 && appliance.inside table group == { }) (
        same "AllowedCPUs of ${group}" table.placement.cpus.${group} slice.AllowedCPUs
      )
    ) table.groups
  );

  problems =
    map (row: "workstation: ${row.message}") (lib.filter (row: !row.assertion) workstation.assertions)
    ++ agreement
    ++ same "open ports" [ table.services.mcp.ports.websocket ] (
      lib.subtractLists workstation.services.openssh.ports workstation.networking.firewall.allowedTCPPorts
    )
    ++ refuses "an open port without TLS" (quiet // { openFirewall = true; }) "openFirewall needs TLS"
    ++ refuses "a group larger than the machine" (
      quiet // { settings.groups.graph.memory_mb = 2 * table.machine.memory_mb; }
    ) "MB of memory"
    ++ refuses "backups without a password" (quiet // { backup.enable = true; }) "backups are encrypted"
    ++ refuses "an image that is not pinned" (
      quiet
      // {
        environment = "staging";
        stores.graph = "server";
        settings.images.${table.services.memgraph.image}.digest = "";
      }
    ) "runs no image that is not pinned"
    ++ throws "a secret in the store" (quiet // { secrets.claude = "${builtins.storeDir}/x-key"; }) (
      cfg: cfg.secrets.claude
    )
    ++ throws "a secret that is a path literal" (quiet // { secrets.claude = ./module.nix; }) (
      cfg: cfg.secrets.claude
    )
    ++ throws "an unknown environment" (quiet // { environment = "attic"; }) (cfg: cfg.environment);
in
pkgs.runCommand "jimbot-module"
  {
    # Evaluated here, built by whoever wants the machine.
    system = builtins.unsafeDiscardStringContext workstation.system.build.toplevel.drvPath;
    problems = lib.concatStringsSep "\n" problems;
  }
  ''
    if [ -n "$problems" ]; then
      echo "$problems" >&2
      exit 1
    fi
    echo "$system" > $out
  ''
