# Others' servers, where a store is kept by one: official images, pinned by the table, in podman on
# both runtimes. They are reached on this machine alone.
{ config, lib, ... }:
let
  cfg = config.services.jimbot;
  inherit (cfg) table;
  inherit (cfg.lib) identity servers;
  native = cfg.runtime == "native";

  # Where each keeps its data, inside and outside, and how it is told of its share. The data lies in
  # the home, where backups look for it.
  own = {
    memgraph = memory: {
      volumes = [ "${identity.home}/${table.backup.servers.memgraph}:/var/lib/memgraph:U" ];
      # It refuses a query that would take more, and so is not killed for it.
      cmd = [
        "--memory-limit=${toString (builtins.floor (memory * table.placement.memory_high))}"
        "--telemetry-enabled=false"
        "--log-level=WARNING"
      ];
    };
    questdb = _: {
      volumes = [ "${identity.home}/${table.backup.servers.questdb}:/var/lib/questdb:U" ];
      environment = {
        QDB_TELEMETRY_ENABLED = "false";
        QDB_PG_ENABLED = "false";
        QDB_LINE_TCP_ENABLED = "false";
      };
    };
    eventstore = _: {
      volumes = [ "${identity.home}/${table.backup.servers.eventstore}:/var/lib/kurrentdb:U" ];
      environment = {
        KURRENTDB_INSECURE = "true"; # on this machine's loopback alone
        KURRENTDB_TELEMETRY_OPTOUT = "true";
        KURRENTDB_DISABLE_LOG_FILE = "true"; # the journal has it
        KURRENTDB_INDEX = "/var/lib/kurrentdb/index";
        # Nobody here asks them anything, and no copy of files can be made of them meanwhile.
        KURRENTDB_SECONDARY_INDEXING__ENABLED = "false";
        DOTNET_CLI_TELEMETRY_OPTOUT = "1";
      };
    };
  };

  container =
    name: service:
    let
      megabytes = cfg.lib.serviceMemory cfg.runtime table name;
      memory = cfg.lib.scaled cfg.lib.scale megabytes;
    in
    {
      image = cfg.lib.reference table.images service.image;
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
    }
    // own.${name} (megabytes * cfg.lib.scale);
in
{
  config = lib.mkIf (cfg.enable && servers != { }) {
    virtualisation.oci-containers = {
      backend = "podman";
      containers = lib.mapAttrs' (
        name: service: lib.nameValuePair "jimbot-${name}" (container name service)
      ) servers;
    };

    systemd.tmpfiles.rules = lib.concatLists (
      lib.mapAttrsToList (name: _: [
        "d ${identity.home}/${table.backup.servers.${name}} 0700 root root -"
      ]) servers
    );

    systemd.services = lib.mapAttrs' (
      name: service:
      lib.nameValuePair "podman-jimbot-${name}" {
        description = lib.mkForce "JimBot: ${service.title}";
        wantedBy = lib.mkForce [ "jimbot.target" ];
        partOf = [ "jimbot.target" ];
        startLimitIntervalSec = 0;
        inherit (cfg.lib) environment;
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
