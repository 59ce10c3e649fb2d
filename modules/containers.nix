# JimBot's own services as podman containers, of the flake's images. All share one network
# namespace, as in a pod: they speak on its loopback as they do natively, and it has nothing but
# that. Its first container and a unit of this host's lead into it and out of it, by sockets in a
# folder that both see.
{ config, lib, ... }:
let
  cfg = config.services.jimbot;
  inherit (cfg) table;
  inherit (cfg.lib) identity programs servers;
  user = "${toString identity.id}:${toString identity.id}";

  secretsOf = name: "/run/jimbot-secrets/${name}";
  image = service: {
    image = "${service.image}:${cfg.lib.version}";
    imageFile = cfg.images.${service.image};
  };

  sockets = "/run/jimbot-sockets";
  # Whom the way out leads to follows from the table; the two have a proxy to it.
  leadsOut = lib.intersectLists [ "analytics" "claude" ] cfg.outbound;
  wayOut = lib.optional (leadsOut != [ ]) "--out=${toString table.containers.way_out}";
  proxy = "http://127.0.0.1:${toString table.containers.way_out}";
  proxyOf =
    name:
    lib.optionalAttrs (lib.elem name leadsOut) {
      ${if name == "claude" then "HTTPS_PROXY" else "JIMBOT_WAY_OUT"} = proxy;
    };
  # The servers of alerts' webhooks are read from their file, where the table says that it lies.
  webhooks = lib.elem "analytics" leadsOut && cfg.secrets.alertWebhooks != null;

  # What no container may.
  closed = [
    "--cap-drop=all"
    "--pids-limit=${toString table.containers.pids}"
    "--pull=never"
    "--read-only"
    "--security-opt=no-new-privileges"
    "--tmpfs=/tmp:rw,nosuid,nodev,size=${toString table.containers.tmp_mb}m"
  ];

  portsOf =
    services:
    lib.concatMap (service: map toString (lib.attrValues service.ports)) (lib.attrValues services);
  ports = portsOf (programs // servers);
  # This host's loopback has what the table publishes and, as natively, what `jimbot health` and
  # Prometheus ask there, and the servers that backups read.
  published = lib.unique (asked ++ labelled ++ portsOf servers);
  asked = map (service: toString service.ports.${service.health.port}) (
    lib.filter (service: service ? health) (lib.attrValues programs)
  );
  labelled = lib.concatLists (
    lib.mapAttrsToList (
      name: labels: map (label: toString table.services.${name}.ports.${label}) labels
    ) (lib.filterAttrs (name: _: programs ? ${name}) table.containers.publish)
  );

  first = image table.services.mcp // {
    cmd = [ "forward" ] ++ wayOut ++ [ sockets ] ++ ports;
    inherit user;
    # It is asked for the health of the others, by this host's table.
    environment = { inherit (cfg.lib.environment) JIMBOT_SERVICES JIMBOT_TABLE; };
    volumes = [
      "${cfg.tableFile}:${cfg.tableFile}:ro"
      "${sockets}:${sockets}"
    ];
    extraOptions = closed ++ [
      "--network=none"
      "--cgroup-parent=jimbot.slice"
      "--memory=320m" # units ask for their services' health in it, several at a time
    ];
  };

  container =
    name: service:
    let
      memory = lib.toLower (cfg.lib.shares name).MemoryMax;
      credentials = cfg.lib.credentialsOf name;
      gpu = cfg.gpu.enable && (service.vram_mb or 0) > 0;
      cores = table.placement.cpus.${service.group} or "";
    in
    image service
    // {
      cmd = service.command;
      inherit user;
      # Containers see nothing of each other's processes: Ray is several nodes there.
      environment =
        cfg.lib.environment
        // proxyOf name
        // lib.optionalAttrs (service.group == "training") {
          JIMBOT_RAY_HEAD = "127.0.0.1:${toString table.services.ray-head.ports.gcs}";
        };
      volumes = [
        "${identity.home}:${identity.home}"
        "${cfg.tableFile}:${cfg.tableFile}:ro"
      ] ++ lib.optional (credentials != { }) "${secretsOf name}:/run/secrets:ro";
      dependsOn = [ "jimbot-network" ];
      extraOptions =
        closed
        ++ [
          "--network=container:jimbot-network"
          "--cgroup-parent=${cfg.lib.sliceOf table service.group}.slice"
          "--memory=${memory}"
          "--memory-swap=${memory}"
          "--oom-score-adj=${toString table.placement.oom_score.${service.group}}"
        ]
        ++ lib.optional (credentials != { }) "--env=CREDENTIALS_DIRECTORY=/run/secrets"
        ++ lib.optional (cores != "") "--cpuset-cpus=${cores}"
        # Ray's object store is shared memory.
        ++
          lib.optional (service.group == "training")
            "--shm-size=${toString table.profiles.${cfg.profile}.training.object_store_mb}m"
        ++ lib.optional gpu "--device=nvidia.com/gpu=all";
    };

  # systemd keeps credentials for root; the container's user gets a copy that is in memory alone.
  handOver =
    name:
    let
      install = "install -o ${toString identity.id} -g ${toString identity.id}";
    in
    lib.concatStringsSep "\n" (
      [ "${install} -d -m 0700 ${secretsOf name}" ]
      ++ lib.mapAttrsToList (
        id: _: "${install} -m 0400 \"$CREDENTIALS_DIRECTORY/${id}\" ${secretsOf name}/${id}"
      ) (cfg.lib.credentialsOf name)
    );

  common = {
    wantedBy = lib.mkForce [ "jimbot.target" ];
    partOf = [ "jimbot.target" ];
    startLimitIntervalSec = 0;
  };
  restarts = lib.mapAttrs (_: lib.mkForce) cfg.lib.restarts;

  unit =
    name: service:
    let
      needs = cfg.lib.needs name;
      credentials = cfg.lib.credentialsOf name;
    in
    common
    // {
      description = lib.mkForce "JimBot: ${service.title}";
      inherit (needs) after requires wants;
      preStart = lib.optionalString (credentials != { }) (handOver name);
      serviceConfig = restarts // {
        inherit (cfg.lib.shares name) Slice;
        ExecStartPost = cfg.lib.gate name;
        LoadCredential = lib.mapAttrsToList (id: path: "${id}:${path}") credentials;
        # Loading an image takes long.
        TimeoutStartSec = lib.mkForce (10 * (service.health.start_s or 60));
        TimeoutStopSec = lib.mkForce (2 * table.supervision.stop_s);
      };
    };
in
{
  config = lib.mkIf (cfg.enable && cfg.runtime == "containers") {
    assertions = [
      {
        assertion = !cfg.openFirewall;
        message = "services.jimbot: containers open MCP to this machine alone. Use runtime = \"native\" with openFirewall.";
      }
      {
        assertion = lib.subtractLists leadsOut cfg.outbound == [ ];
        message = "services.jimbot: no way leads out of containers for ${lib.concatStringsSep ", " (lib.subtractLists leadsOut cfg.outbound)}, but for claude and analytics. Use runtime = \"native\", or leave them out of outbound.";
      }
    ];

    virtualisation.oci-containers = {
      backend = "podman";
      containers =
        {
          jimbot-network = first;
        }
        // lib.mapAttrs' (
          name: service: lib.nameValuePair "jimbot-${name}" (container name service)
        ) programs;
    };

    systemd.tmpfiles.rules = [
      "d /run/jimbot-secrets 0700 root root -"
      "d ${sockets} 0700 ${identity.user} ${identity.user} -"
    ] ++ lib.optional webhooks "d ${secretsOf "analytics"} 0700 ${identity.user} ${identity.user} -";

    systemd.services =
      {
        jimbot-outside = {
          description = "JimBot: the outer side of its containers' network";
          wantedBy = [ "jimbot.target" ];
          partOf = [ "jimbot.target" ];
          after = [ "network.target" ];
          inherit (cfg.lib) environment;
          startLimitIntervalSec = 0;
          serviceConfig =
            import ./hardening.nix
            // cfg.lib.restarts
            // {
              User = identity.user;
              Group = identity.user;
              StateDirectory = "jimbot";
              StateDirectoryMode = "0700";
              ExecStart = lib.concatStringsSep " " (
                [ "${cfg.lib.program} forward --outside" ]
                ++ wayOut
                ++ map (name: "--for=${name}") leadsOut
                ++ [ sockets ]
                ++ published
              );
              ReadWritePaths = [ sockets ];
              Slice = "jimbot.slice";
              MemoryMax = "128M";
              MemorySwapMax = 0;
              PrivateDevices = true;
              MemoryDenyWriteExecute = true;
            }
            // lib.optionalAttrs webhooks {
              BindReadOnlyPaths = [ "${secretsOf "analytics"}:/run/secrets" ];
            }
            // lib.optionalAttrs (leadsOut == [ ]) {
              IPAddressDeny = "any";
              IPAddressAllow = "localhost";
            };
        };
        podman-jimbot-network = common // {
          description = lib.mkForce "JimBot: the network of its containers";
          serviceConfig = restarts // {
            Slice = "jimbot.slice";
          };
        };
      }
      // lib.mapAttrs' (
        name: service: lib.nameValuePair "podman-jimbot-${name}" (unit name service)
      ) programs;
  };
}
