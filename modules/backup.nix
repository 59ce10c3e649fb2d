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
  # Before it is made, or when it is lost, the command says so and not systemd.
  writable = lib.optional (local != "") "-${local}";

  # As root, so only where nothing is: a link could lead anywhere.
  folder = pkgs.writeShellScript "jimbot-backup-folder" ''
    PATH=${pkgs.coreutils}/bin
    [ -e "$1" ] || [ -L "$1" ] || {
      (umask 022 && mkdir -p "$(dirname "$1")")
      mkdir -m 0700 "$1" && chown -h ${identity.user}:${identity.user} "$1"
    }
  '';

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
      # Where it is on a disk of its own, nothing goes to the folder that waits for that disk.
      unitConfig.RequiresMountsFor = lib.optional (local != "") local;
      serviceConfig =
        readsServers
        // {
          LoadCredential = [ "backup:${toString cfg.secrets.backup}" ];
          ReadWritePaths = writable;
        }
        // lib.optionalAttrs (cfg.secrets.backupEnvironment != null) {
          EnvironmentFile = cfg.secrets.backupEnvironment;
        };
    };

  # The clock has several begin in the same minutes, in any order: they wait for each other.
  inTurn =
    description: command: withRepository (task description "${command} --wait ${toString (4 * 3600)}");

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
              map (
                kind:
                lib.nameValuePair "jimbot-backup-${kind}" (
                  inTurn "${kind} backup" "backup run --kind ${kind}" // needsRepository
                )
              ) kinds
            )
            // {
              # The repository is made before the first backup goes into it.
              jimbot-backup-init =
                lib.recursiveUpdate (withRepository (task "repository of the backups" "backup init"))
                  {
                    serviceConfig = {
                      RemainAfterExit = true;
                      ExecStartPre = lib.optional (local != "") "+${folder} ${local}";
                    };
                  };
              # Never by itself: `systemctl start jimbot-restore` stops the services, and puts the newest
              # backup that holds in the place of the home, which is kept under another name.
              jimbot-restore =
                let
                  units = map (name: "${cfg.lib.unitOf name}.service") (
                    lib.attrNames (cfg.lib.programs // cfg.lib.servers)
                  );
                in
                lib.recursiveUpdate (inTurn "coming back from the newest backup" "restore --yes") {
                  conflicts = [ "jimbot.target" ];
                  # All have stopped before: a server would go on in the folder that is set aside.
                  after =
                    [
                      "jimbot.target"
                      "jimbot-init.service"
                      "jimbot-drill.service"
                    ]
                    ++ units
                    ++ map (kind: "jimbot-backup-${kind}.service") kinds;
                  serviceConfig = {
                    # It takes the home's place, which its owner may not.
                    User = "root";
                    Group = "root";
                    AmbientCapabilities = "";
                    CapabilityBoundingSet = "CAP_CHOWN CAP_DAC_OVERRIDE CAP_FOWNER";
                    PrivateUsers = false;
                    SystemCallFilter = [ "@system-service" ];
                    StateDirectory = "";
                    ReadWritePaths = [ "/var/lib" ] ++ writable;
                    ExecStartPost = "${lib.getExe' pkgs.coreutils "chown"} -R ${identity.user}:${identity.user} ${identity.home}";
                  };
                };
              jimbot-drill =
                lib.recursiveUpdate (inTurn "restoring the newest backup to see that it can be" "drill") (
                  lib.optionalAttrs (table.stores.log.engine == "server") {
                    # A log on a server is compared, and not started: 2 says that, each week.
                    serviceConfig.SuccessExitStatus = 2;
                  }
                )
                // needsRepository;
            };
          timers =
            lib.listToAttrs (
              map (kind: lib.nameValuePair "jimbot-backup-${kind}" (timer table.backup.every_hours.${kind})) kinds
            )
            // {
              jimbot-drill = timer table.maintenance.drill_hours;
            };
        };
      })
    ]
  );
}
