# What is done by the clock: backups, drills that restore one, and forgetting.
{
  config,
  lib,
  pkgs,
  ...
}:
let
  cfg = config.services.jimbot;
  inherit (cfg) table;
  inherit (cfg.lib) identity;

  # The table says every how many hours. Systemd's calendar catches up on what a machine that was
  # off has missed, which its counters do not.
  calendar =
    hours:
    let
      days = hours / 24;
    in
    if hours < 24 then
      "*-*-* 00/${toString hours}:00:00"
    else if days == 1 then
      "daily"
    else if days == 7 then
      "weekly"
    else
      throw "services.jimbot: the table asks for something every ${toString hours} hours; a timer does hours below 24, 24 and 168";

  # The repository, where it is a folder of this machine.
  local = lib.optionalString (lib.hasPrefix "/" cfg.backup.repository) cfg.backup.repository;

  timer = hours: {
    wantedBy = [ "timers.target" ];
    timerConfig = {
      OnCalendar = calendar hours;
      Persistent = true;
      # So that several machines that share a repository do not meet.
      RandomizedDelaySec = "5m";
    };
  };

  task = description: command: {
    description = "JimBot: ${description}";
    path = [ pkgs.restic ];
    environment = cfg.lib.environment // {
      JIMBOT_BACKUP = cfg.backup.repository;
      # restic's, which otherwise is in a home that the unit does not see
      RESTIC_CACHE_DIR = "/var/cache/jimbot-backup";
    };
    serviceConfig = import ./hardening.nix // {
      Type = "oneshot";
      User = identity.user;
      Group = identity.user;
      ExecStart = "${cfg.lib.program} ${command}";
      StateDirectory = "jimbot";
      StateDirectoryMode = "0700";
      CacheDirectory = "jimbot-backup";
      CacheDirectoryMode = "0700";
      ReadWritePaths = lib.optional (local != "") local;
      Slice = "jimbot.slice";
      # What plays and trains goes first.
      CPUSchedulingPolicy = "batch";
      IOSchedulingClass = "idle";
      Nice = 10;
      PrivateDevices = true;
      MemoryDenyWriteExecute = true;
    };
  };

  # The servers' files belong to the users of their containers.
  readsServers = lib.optionalAttrs (cfg.lib.servers != { }) {
    AmbientCapabilities = "CAP_DAC_READ_SEARCH";
    CapabilityBoundingSet = "CAP_DAC_READ_SEARCH";
    PrivateUsers = false;
  };

  withRepository =
    unit:
    lib.recursiveUpdate unit {
      serviceConfig =
        readsServers
        // {
          LoadCredential = [ "backup:${toString cfg.secrets.backup}" ];
        }
        // lib.optionalAttrs (cfg.secrets.backupEnvironment != null) {
          EnvironmentFile = cfg.secrets.backupEnvironment;
        };
    };

  needsRepository = {
    requires = [ "jimbot-backup-init.service" ];
    after = [ "jimbot-backup-init.service" ];
  };

  kinds = [
    "hourly"
    "daily"
    "weekly"
  ];
in
{
  config = lib.mkIf cfg.enable (
    lib.mkMerge [
      {
        systemd.services.jimbot-retain = task "forgetting what the stores no longer keep" "db retain";
        systemd.timers.jimbot-retain = timer table.maintenance.retain_hours;
      }
      (lib.mkIf cfg.backup.enable {
        systemd = {
          services =
            lib.listToAttrs (
              lib.imap0 (
                position: kind:
                lib.nameValuePair "jimbot-backup-${kind}" (
                  withRepository (task "${kind} backup" "backup run --kind ${kind}")
                  // needsRepository
                  // {
                    # Two at midnight wait for each other, and find no lock.
                    after = [
                      "jimbot-backup-init.service"
                    ] ++ map (other: "jimbot-backup-${other}.service") (lib.take position kinds);
                  }
                )
              ) kinds
            )
            // {
              # The repository is made before the first backup goes into it.
              jimbot-backup-init = lib.recursiveUpdate (withRepository (
                task "repository of the backups" "backup init"
              )) { serviceConfig.RemainAfterExit = true; };
              # Never by itself: `systemctl start jimbot-restore` stops the services, and puts the newest
              # backup that holds in the place of the home, which is kept under another name.
              jimbot-restore =
                let
                  units = map (name: "${cfg.lib.unitOf name}.service") (lib.attrNames cfg.lib.programs);
                in
                lib.recursiveUpdate (withRepository (task "coming back from the newest backup" "restore --yes")) {
                  conflicts = [ "jimbot.target" ];
                  after = [ "jimbot.target" ] ++ units;
                  serviceConfig = {
                    # It takes the home's place, which its owner may not.
                    User = "root";
                    Group = "root";
                    AmbientCapabilities = "";
                    CapabilityBoundingSet = "CAP_CHOWN CAP_DAC_OVERRIDE CAP_FOWNER";
                    PrivateUsers = false;
                    SystemCallFilter = [ "@system-service" ];
                    StateDirectory = "";
                    ReadWritePaths = [ "/var/lib" ] ++ lib.optional (local != "") local;
                    ExecStartPost = "${pkgs.coreutils}/bin/chown -R ${identity.user}:${identity.user} ${identity.home}";
                  };
                };
              jimbot-drill =
                withRepository (task "restoring the newest backup to see that it can be" "drill")
                // needsRepository;
            };
          timers =
            lib.listToAttrs (
              map (kind: lib.nameValuePair "jimbot-backup-${kind}" (timer table.backup.every_hours.${kind})) kinds
            )
            // {
              jimbot-drill = timer table.maintenance.drill_hours;
            };
          tmpfiles.rules = lib.optional (local != "") "d ${local} 0700 ${identity.user} ${identity.user} -";
        };
      })
    ]
  );
}
