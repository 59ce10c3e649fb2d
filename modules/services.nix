# JimBot's own services as systemd units, the user they run as, and what they may do.
{
  config,
  lib,
  pkgs,
  ...
}:
let
  cfg = config.services.jimbot;
  inherit (cfg) table;
  inherit (cfg.lib) identity programs;

  # Without a GPU a service sees no device; with one it sees that GPU's and nothing else.
  devices =
    service:
    if cfg.gpu.enable && (service.vram_mb or 0) > 0 then
      {
        PrivateDevices = false;
        DeviceAllow = [
          "char-nvidia rw"
          "char-nvidiactl rw"
          "char-nvidia-frontend rw"
          "char-nvidia-uvm rw"
          "char-nvidia-caps rw"
        ];
      }
    else
      { PrivateDevices = true; };

  # torch and what Ray runs of it write machine code while they run.
  writesCode = service: lib.elem "train" (table.images.${service.image}.extras or [ ]);

  # Ray's driver finds the head by its processes, which are hidden from other user namespaces.
  joinsRay = name: service: service.group == "training" && name != "ray-head";
  processes = name: service: lib.optionalAttrs (joinsRay name service) { ProtectProc = "default"; };

  network =
    name:
    lib.optionalAttrs (!(lib.elem name cfg.outbound || (name == "mcp" && cfg.openFirewall))) {
      IPAddressDeny = "any";
      IPAddressAllow = "localhost";
    };

  common = {
    User = identity.user;
    Group = identity.user;
    StateDirectory = "jimbot";
    StateDirectoryMode = "0700";
    WorkingDirectory = identity.home;
  } // import ./hardening.nix;

  numa = lib.optionalAttrs (table.placement.numa_policy != "default") {
    NUMAPolicy = table.placement.numa_policy;
    NUMAMask = table.placement.numa_nodes;
  };

  unit =
    name: service:
    let
      needs = cfg.lib.needs name;
      credentials = cfg.lib.credentialsOf name;
    in
    {
      description = "JimBot: ${service.title}";
      wantedBy = [ "jimbot.target" ];
      partOf = [ "jimbot.target" ];
      after = [
        "network.target"
        "jimbot-init.service"
      ] ++ needs.after;
      inherit (needs) requires;
      # While a store's server is away its schema cannot be made, and all else starts degraded.
      wants = [ "jimbot-init.service" ] ++ needs.wants;
      # The head's sockets are in its private /tmp, so it is theirs as well.
      unitConfig = lib.optionalAttrs (joinsRay name service) {
        JoinsNamespaceOf = "jimbot-ray-head.service";
      };
      inherit (cfg.lib) environment;
      # It is tried again for ever, with a growing delay; health and alerts tell of it.
      startLimitIntervalSec = 0;
      serviceConfig =
        common
        // devices service
        // processes name service
        // network name
        // numa
        // cfg.lib.shares name
        // cfg.lib.restarts
        // {
          ExecStart = "${cfg.lib.program} ${lib.concatStringsSep " " service.command}";
          ExecStartPost = cfg.lib.gate name;
          TimeoutStartSec = 2 * (service.health.start_s or 60);
          TimeoutStopSec = table.supervision.stop_s;
          MemoryDenyWriteExecute = !(writesCode service);
          LoadCredential = lib.mapAttrsToList (id: path: "${id}:${path}") credentials;
        };
    };
in
{
  config = lib.mkIf cfg.enable {
    users.users.${identity.user} = {
      uid = identity.id;
      group = identity.user;
      isSystemUser = true;
      inherit (identity) home;
      description = "JimBot";
    };
    users.groups.${identity.user}.gid = identity.id;

    # restic is what `jimbot backup` and `jimbot restore` call.
    environment.systemPackages = [
      cfg.package
      pkgs.restic
    ];
    # So that the command line speaks of this host's appliance.
    environment.sessionVariables = lib.mapAttrs (_: lib.mkDefault) (
      removeAttrs cfg.lib.environment [ "JIMBOT_LOG_LEVEL" ]
    );

    systemd = {
      # Before what mounts it or puts a folder into it.
      tmpfiles.rules = [ "d ${identity.home} 0700 ${identity.user} ${identity.user} -" ];

      targets.jimbot = {
        description = "JimBot";
        wantedBy = [ "multi-user.target" ];
      };

      services = lib.optionalAttrs (cfg.runtime == "native") (
        {
          jimbot-init = {
            description = "JimBot: schemas of the stores";
            after = [
              "network.target"
            ] ++ map (name: "${cfg.lib.unitOf name}.service") (lib.attrNames cfg.lib.servers);
            partOf = [ "jimbot.target" ];
            inherit (cfg.lib) environment;
            startLimitIntervalSec = 0;
            serviceConfig =
              common
              // cfg.lib.restarts
              // {
                Type = "oneshot";
                Restart = "on-failure";
                RemainAfterExit = true;
                Slice = "jimbot.slice";
                PrivateDevices = true;
                IPAddressDeny = "any";
                IPAddressAllow = "localhost";
                MemoryDenyWriteExecute = true;
                ExecStart = "${cfg.lib.program} init-db";
              };
          };
        }
        // lib.mapAttrs' (name: service: lib.nameValuePair "jimbot-${name}" (unit name service)) programs
      );
    };
  };
}
