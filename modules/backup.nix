# What is done by the clock: backups, drills that restore one, and forgetting.
{ config, lib, pkgs, ... }:
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
      ReadWritePaths = lib.optional (lib.hasPrefix "/" cfg.backup.repository) cfg.backup.repository;
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

  withRepository = unit: lib.recursiveUpdate unit {
    serviceConfig =
      readsServers
      // {
        LoadCredential = [ "backup:${toString cfg.secrets.backup}" ];
      }
      // lib.optionalAttrs (cfg.secrets.backupEnvironment != null) {
        EnvironmentFile = cfg.secrets.backupEnvironment;
      };
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
        systemd.services =
          lib.listToAttrs (
            lib.imap0 (
              position: kind:
              lib.nameValuePair "jimbot-backup-${kind}" (
                withRepository (task "${kind} backup" "backup run --kind ${kind}")
                // {
                  # Two at midnight wait for each other, and find no lock.
                  after = map (other: "jimbot-backup-${other}.service") (lib.take position kinds);
                }
              )
            ) kinds
          )
          // {
            jimbot-drill = withRepository (task "restoring the newest backup to see that it can be" "drill");
          };
        systemd.timers =
          lib.listToAttrs (
            map (kind: lib.nameValuePair "jimbot-backup-${kind}" (timer table.backup.every_hours.${kind})) kinds
          )
          // {
            jimbot-drill = timer table.maintenance.drill_hours;
          };
        systemd.tmpfiles.rules = lib.optional (lib.hasPrefix "/" cfg.backup.repository)
          "d ${cfg.backup.repository} 0700 ${identity.user} ${identity.user} -";
      })
    ]
  );
}
