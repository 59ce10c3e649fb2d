# Others' servers, where a store is kept by one: official images, pinned by the table, in podman on
# both runtimes. They are reached on this machine alone.
{ config, lib, ... }:
let
  cfg = config.services.jimbot;
  inherit (cfg) table;
  inherit (cfg.lib) identity servers;
  native = cfg.runtime == "native";

  # In the home, where backups look for it.
  dataOf = name: "${identity.home}/${table.backup.servers.${name}}";

  container =
    name: service:
    let
      megabytes = cfg.lib.serviceMemory cfg.runtime table name;
      memory = cfg.lib.scaled cfg.lib.scale megabytes;
      own = megabytes * cfg.lib.scale * table.placement.memory_high; # what it may fill itself
      image = table.images.${service.image};
    in
    {
      image = cfg.lib.reference table.images service.image;
      volumes = [ "${dataOf name}:${image.data}:U" ];
      environment = image.environment or { };
      cmd = map (lib.replaceStrings [ "{memory_mb}" ] [ (toString (builtins.floor own)) ]) (
        image.arguments or [ ]
      );
      # Where our services are, so is its port: on this machine's loopback, or on theirs.
      ports = lib.optionals native (
        map (port: "127.0.0.1:${toString port}:${toString port}") (lib.attrValues service.ports)
      );
      dependsOn = lib.optional (!native) "jimbot-network";
      extraOptions = lib.optional (!native) "--network=container:jimbot-network" ++ [
        "--cgroup-parent=${cfg.lib.sliceOf table service.group}.slice"
        "--memory=${lib.toLower memory}"
        "--memory-swap=${lib.toLower memory}"
        "--cpuset-cpus=${table.placement.cpus.${service.group}}"
        # Their entry points give the data to the user that they then become.
        "--cap-drop=all"
        "--cap-add=CHOWN,DAC_OVERRIDE,FOWNER,SETGID,SETUID"
        "--security-opt=no-new-privileges"
        "--pids-limit=${toString table.containers.pids}"
      ];
    };
in
{
  config = lib.mkIf (cfg.enable && servers != { }) {
    virtualisation.oci-containers = {
      backend = "podman";
      containers = lib.mapAttrs' (
        name: service: lib.nameValuePair "jimbot-${name}" (container name service)
      ) servers;
    };

    systemd.services = lib.mapAttrs' (
      name: service:
      lib.nameValuePair "podman-jimbot-${name}" {
        description = lib.mkForce "JimBot: ${service.title}";
        wantedBy = lib.mkForce [ "jimbot.target" ];
        partOf = [ "jimbot.target" ];
        startLimitIntervalSec = 0;
        inherit (cfg.lib) environment;
        # podman makes no folder, and systemd-tmpfiles none as root in another user's. After a
        # restore there may be none again. podman gives it to the image's user (`:U`), so it has to be
        # where it seems to be: the home is not root's.
        preStart = ''
          if [ "$(realpath -m ${dataOf name})" != "$(realpath -m ${identity.home})${lib.removePrefix identity.home (dataOf name)}" ]; then
            echo "${dataOf name} leads elsewhere: a link is in the way" >&2
            exit 1
          fi
          mkdir -p -m 0700 ${dataOf name}
        '';
        serviceConfig = {
          inherit (cfg.lib.shares name) Slice OOMScoreAdjust;
          ExecStartPost = cfg.lib.gate name;
          TimeoutStartSec = lib.mkForce "infinity"; # the first start fetches the image
          TimeoutStopSec = lib.mkForce (6 * table.supervision.stop_s); # a store writes what it holds
        } // lib.mapAttrs (_: lib.mkForce) cfg.lib.restarts;
      }
    ) servers;
  };
}
