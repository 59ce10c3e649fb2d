# JimBot's own services as podman containers, of the flake's images. They bind to loopback as they
# do natively and share the host's, so nothing has to be published and nothing is.
{ config, lib, ... }:
let
  cfg = config.services.jimbot;
  inherit (cfg) table;
  inherit (cfg.lib) identity programs;

  secretsOf = name: "/run/jimbot-secrets/${name}";

  container =
    name: service:
    let
      memory = lib.toLower (
        cfg.lib.scaled cfg.lib.scale (cfg.lib.serviceMemory cfg.runtime table name)
      );
      credentials = cfg.lib.credentialsOf name;
      gpu = cfg.gpu.enable && (service.vram_mb or 0) > 0;
    in
    {
      image = "${service.image}:${cfg.lib.version}";
      imageFile = cfg.images.${service.image};
      cmd = service.command;
      inherit (cfg.lib) environment;
      volumes = [
        "${identity.home}:${identity.home}"
        "${cfg.tableFile}:${cfg.tableFile}:ro"
      ] ++ lib.optional (credentials != { }) "${secretsOf name}:/run/secrets:ro";
      extraOptions =
        [
          "--network=host"
          "--cgroup-parent=${cfg.lib.sliceOf table service.group}.slice"
          "--memory=${memory}"
          "--memory-swap=${memory}"
          "--oom-score-adj=${toString table.placement.oom_score.${service.group}}"
          "--read-only"
          "--tmpfs=/tmp:rw,nosuid,nodev"
          "--cap-drop=all"
          "--security-opt=no-new-privileges"
          "--pids-limit=4096"
        ]
        ++ lib.optional (
          (table.placement.cpus.${service.group} or "") != ""
        ) "--cpuset-cpus=${table.placement.cpus.${service.group}}"
        # Ray's object store is shared memory.
        ++ lib.optional (service.group == "training")
          "--shm-size=${toString table.profiles.${cfg.profile}.training.object_store_mb}m"
        ++ lib.optional gpu "--device=nvidia.com/gpu=all";
    };

  # systemd keeps credentials for root; the container's user gets a copy that is in memory alone.
  handOver =
    name:
    lib.concatStrings (
      [
        ''
          install -d -m 0700 -o ${toString identity.id} -g ${toString identity.id} ${secretsOf name}
        ''
      ]
      ++ lib.mapAttrsToList (id: _: ''
        install -m 0400 -o ${toString identity.id} -g ${toString identity.id} \
          "$CREDENTIALS_DIRECTORY/${id}" ${secretsOf name}/${id}
      '') (cfg.lib.credentialsOf name)
    );
in
{
  config = lib.mkIf (cfg.enable && cfg.runtime == "containers") {
    virtualisation.oci-containers = {
      backend = "podman";
      containers = lib.mapAttrs' (
        name: service: lib.nameValuePair "jimbot-${name}" (container name service)
      ) programs;
    };

    systemd.tmpfiles.rules = [ "d /run/jimbot-secrets 0700 root root -" ];

    systemd.services = lib.mapAttrs' (
      name: service:
      let
        needs = cfg.lib.needs name;
        credentials = cfg.lib.credentialsOf name;
      in
      lib.nameValuePair "podman-jimbot-${name}" {
        description = lib.mkForce "JimBot: ${service.title}";
        wantedBy = lib.mkForce [ "jimbot.target" ];
        partOf = [ "jimbot.target" ];
        after = [ "jimbot-init.service" ] ++ needs.after;
        requires = [ "jimbot-init.service" ] ++ needs.requires;
        inherit (needs) wants;
        inherit (cfg.lib) environment;
        startLimitIntervalSec = 0;
        preStart = lib.optionalString (credentials != { }) (handOver name);
        serviceConfig = {
          inherit (cfg.lib.shares name) Slice;
          ExecStartPost = cfg.lib.gate name;
          LoadCredential = lib.mapAttrsToList (id: path: "${id}:${path}") credentials;
          TimeoutStartSec = lib.mkForce (10 * (service.health.start_s or 60)); # loading an image takes long
          TimeoutStopSec = lib.mkForce (2 * table.supervision.stop_s);
        } // lib.mapAttrs (_: lib.mkForce) cfg.lib.restarts;
      }
    ) programs;
  };
}
