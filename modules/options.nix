# What the owner of a host may say, and the table that comes of it.
{ packagesFor }:
{
  config,
  lib,
  pkgs,
  ...
}:
let
  inherit (lib)
    mkEnableOption
    mkOption
    types
    literalExpression
    ;
  cfg = config.services.jimbot;
  identity = import ../nix/identity.nix;
  appliance = import ../nix/table.nix { inherit lib; };
  packages = packagesFor pkgs.stdenv.hostPlatform.system;
  toml = pkgs.formats.toml { };

  # A secret that went through the store is one that every user of the machine can read. A path
  # literal (./key) goes there as soon as it is used, so it is refused as well.
  secretPath = types.mkOptionType {
    name = "secretPath";
    description = "absolute path of a file outside the Nix store, as a string";
    descriptionClass = "noun";
    check =
      path: builtins.isString path && lib.hasPrefix "/" path && !(lib.hasPrefix builtins.storeDir path);
    merge = lib.mergeEqualOption;
  };
  secret =
    what:
    mkOption {
      type = types.nullOr secretPath;
      default = null;
      example = "/run/secrets/jimbot";
      description = ''
        File with ${what}. It is handed to the services that need it as a systemd credential, so
        root alone has to be able to read it. agenix and sops-nix make such files. A path in the
        Nix store is refused.
      '';
    };
  engine =
    store:
    mkOption {
      type = types.enum [
        "embedded"
        "server"
      ];
      default = appliance.table.stores.${store}.engine;
      defaultText = literalExpression "stores.${store}.engine of the table";
      description = "Which engine keeps the ${store}: a file, or a server in a container.";
    };

  otherEngines = lib.mapAttrs (_: engine: { inherit engine; }) (
    lib.filterAttrs (store: engine: engine != appliance.table.stores.${store}.engine) cfg.stores
  );

  # The table as it is, unless the host has something to say: a generated one has no order left.
  written =
    if cfg.settings == { } then
      ../jimbot/appliance/appliance.toml
    else
      toml.generate "appliance.toml" cfg.table;
in
{
  options.services.jimbot = {
    enable = mkEnableOption "JimBot, which trains an agent to play Balatro and plays it";

    package = mkOption {
      type = types.package;
      default = packages.jimbot;
      defaultText = literalExpression "jimbot of the flake";
      description = "The package that services, timers and the command line run.";
    };

    images = mkOption {
      type = types.attrsOf types.package;
      default = packages.images.archives or { };
      defaultText = literalExpression "the flake's images";
      description = "Archives of the images that `runtime = \"containers\"` loads, by name.";
    };

    environment = mkOption {
      type = types.enum (lib.attrNames appliance.table.environments);
      default = "production";
      description = ''
        Which of the table's environments this is. It chooses how verbose logs are and how long
        they are kept, whether backups and monitoring run, and what is refused.
      '';
    };

    runtime = mkOption {
      type = types.enum [
        "native"
        "containers"
      ];
      default = "native";
      description = "Whether JimBot's services are systemd units or podman containers.";
    };

    profile = mkOption {
      type = types.enum (lib.attrNames appliance.table.profiles);
      default = "workstation";
      description = ''
        The table's profile that this machine is. It scales every memory limit, so it is said here
        and not found out when the machine starts.
      '';
    };

    settings = mkOption {
      inherit (toml) type;
      default = { };
      example = literalExpression ''{ claude.requests_per_hour = 50; training.stake = "Red"; }'';
      description = ''
        What differs from `jimbot/appliance/appliance.toml` on this host, in its own words. The
        outcome is checked by `jimbot config check` when the system is built. It is readable by
        every user: secrets are files, see {option}`services.jimbot.secrets`.
      '';
    };

    stores = {
      log = engine "log";
      series = engine "series";
      graph = engine "graph";
    };

    training = {
      enable = mkOption {
        type = types.bool;
        default = true;
        description = "Whether the Ray head and the trainer run.";
      };
      offPeak = mkOption {
        type = types.nullOr (
          types.listOf (types.strMatching "[0-2][0-9]:[0-5][0-9]-[0-2][0-9]:[0-5][0-9]")
        );
        default = null;
        example = [ "22:00-07:00" ];
        description = ''
          Hours of the day, in local time, in which the trainer trains; outside them it pauses
          between iterations and gives back the GPU. Null leaves it to the table.
        '';
      };
    };

    gpu.enable = mkOption {
      type = types.bool;
      default = pkgs.stdenv.hostPlatform.isx86_64;
      defaultText = literalExpression "true on x86_64";
      description = ''
        Whether the services to which the table gives video memory reach an NVIDIA GPU, and the
        host gets the driver and, for containers, the container toolkit. Without it training runs
        on the processor.
      '';
    };

    openFirewall = mkOption {
      type = types.bool;
      default = false;
      description = ''
        Whether games on other machines reach the MCP port: it listens on every address, with TLS
        alone. Nothing else is ever opened.
      '';
    };

    outbound = mkOption {
      type = types.listOf (types.enum (lib.attrNames appliance.table.services));
      default = [ "claude" ];
      description = ''
        Services that may speak to other machines. All others see this one alone. Name `analytics`
        where alerts go out by webhook or mail. Containers share one closed network, out of which a
        proxy leads to Claude's servers and to the webhooks', as far as those two are named here;
        mail has no way there.
      '';
    };

    secrets = {
      claude = secret "the key for Claude's API; without it a local strategist answers";
      mcpTokens = secret "the tokens that games show to the MCP server";
      tlsCertificate = secret "the certificate, with its chain, of the MCP server";
      tlsKey = secret "the private key of {option}`services.jimbot.secrets.tlsCertificate`";
      backup = secret "the password of the restic repository";
      backupEnvironment = secret ''
        NAME=value lines for restic, such as AWS_ACCESS_KEY_ID, where the repository is elsewhere
      '';
      alertWebhooks = secret "the addresses that alerts are posted to, one a line";
      grafanaPassword = secret "the password of Grafana's admin";
    };

    backup = {
      enable = mkOption {
        type = types.bool;
        default = cfg.environments.backups;
        defaultText = literalExpression "as the environment has it";
        description = "Whether backups and restore drills run by timers.";
      };
      repository = mkOption {
        type = types.str;
        default = "/var/backup/jimbot";
        example = "s3:https://s3.example.org/jimbot";
        description = "Any repository that restic takes. Choose one on another machine.";
      };
    };

    monitoring = {
      prometheus.enable = mkOption {
        type = types.bool;
        default = cfg.environments.monitoring;
        defaultText = literalExpression "as the environment has it";
        description = "Whether Prometheus watches the services, with the table's alerts as rules.";
      };
      grafana.enable = mkOption {
        type = types.bool;
        default = cfg.monitoring.prometheus.enable && cfg.secrets.grafanaPassword != null;
        defaultText = literalExpression "with Prometheus, where a password is given";
        description = "Whether Grafana shows the provisioned dashboards, on this machine alone.";
      };
    };

    table = mkOption {
      type = types.attrs;
      internal = true;
      readOnly = true;
      description = "The table with this host's settings in it.";
    };
    tableFile = mkOption {
      type = types.path;
      internal = true;
      readOnly = true;
      description = "The same as a file that `jimbot config check` has proved.";
    };
    environments = mkOption {
      type = types.attrs;
      internal = true;
      readOnly = true;
      description = "The row of the chosen environment.";
    };
    lib = mkOption {
      type = types.attrs;
      internal = true;
      readOnly = true;
      description = "What the module's files share.";
    };
  };

  config = {
    services.jimbot = {
      table = lib.recursiveUpdate appliance.table cfg.settings;
      environments = cfg.table.environments.${cfg.environment};

      settings = lib.mkMerge [
        (lib.mkIf (cfg.training.offPeak != null) { training.off_peak = cfg.training.offPeak; })
        (lib.mkIf cfg.openFirewall { security.listen = "0.0.0.0"; })
        (lib.mkIf (cfg.secrets.alertWebhooks != null) {
          alerts.delivery.webhook_file =
            if cfg.runtime == "native" then
              "/run/credentials/jimbot-analytics.service/alert-webhooks"
            else
              "/run/secrets/alert-webhooks";
        })
        (lib.mkIf (otherEngines != { }) { stores = otherEngines; })
      ];

      tableFile = pkgs.runCommand "jimbot-table.toml" { } ''
        ${lib.getExe cfg.package} --table ${written} config check
        cp ${written} $out
      '';

      lib = appliance // {
        inherit identity;
        program = lib.getExe cfg.package;
        scale = cfg.table.profiles.${cfg.profile}.memory_scale;
        # Those of ours that run here, by name.
        programs = lib.filterAttrs (_: service: cfg.training.enable || service.group != "training") (
          appliance.programs cfg.runtime cfg.table
        );
        # Others' servers: those of the stores that are kept by a server, whether `stores` says so or
        # `settings`.
        servers = lib.filterAttrs (
          name: _: cfg.table.stores.${appliance.storeOf cfg.table name}.engine == "server"
        ) (appliance.servers cfg.table);
        unitOf =
          name:
          if cfg.table.services.${name} ? command && cfg.runtime == "native" then
            "jimbot-${name}"
          else
            "podman-jimbot-${name}";
        environment = {
          JIMBOT_HOME = identity.home;
          JIMBOT_TABLE = "${cfg.tableFile}";
          JIMBOT_PROFILE = cfg.profile;
          JIMBOT_ENVIRONMENT = cfg.environment;
          JIMBOT_LOG_LEVEL = cfg.environments.log_level;
          # What has a unit here, in the table's names: the command asks for no other.
          JIMBOT_SERVICES = lib.concatStringsSep "," (lib.attrNames (cfg.lib.programs // cfg.lib.servers));
        } // lib.optionalAttrs cfg.backup.enable { JIMBOT_BACKUP = cfg.backup.repository; };
        # name of the credential → file, for each service that reads it.
        credentials = {
          claude = { inherit (cfg.secrets) claude; };
          mcp = {
            mcp-tokens = cfg.secrets.mcpTokens;
            tls-certificate = cfg.secrets.tlsCertificate;
            tls-key = cfg.secrets.tlsKey;
          };
          analytics.alert-webhooks = cfg.secrets.alertWebhooks;
        };
        credentialsOf = name: lib.filterAttrs (_: path: path != null) (cfg.lib.credentials.${name} or { });
        # What a unit of this service gets of the machine.
        shares = name: {
          Slice = "${appliance.sliceOf cfg.table cfg.table.services.${name}.group}.slice";
          MemoryMax = appliance.scaled cfg.lib.scale (appliance.serviceMemory cfg.runtime cfg.table name);
          MemorySwapMax = 0;
          OOMScoreAdjust = cfg.table.placement.oom_score.${cfg.table.services.${name}.group};
        };
        # It comes back, sooner at first and later on later, for as long as it takes.
        restarts = {
          Restart = "always";
          RestartSec = cfg.table.supervision.backoff_first_s;
          RestartSteps = appliance.doublings cfg.table.supervision.backoff_first_s cfg.table.supervision.backoff_limit_s;
          RestartMaxDelaySec = cfg.table.supervision.backoff_limit_s;
        };
        podman = lib.getExe' config.virtualisation.podman.package "podman";
        # Started means healthy: systemd waits for this before what comes after. Containers are
        # asked where they live, as this machine's loopback is not theirs.
        gate =
          name:
          let
            jimbot =
              if cfg.runtime == "native" then
                cfg.lib.program
              else
                "${cfg.lib.podman} exec jimbot-network /bin/jimbot";
          in
          lib.optional (cfg.table.services.${name} ? health) (
            "${jimbot} health ${name} --wait --timeout " + toString cfg.table.services.${name}.health.start_s
          );
        needs =
          name:
          let
            service = cfg.table.services.${name};
            here = lib.filter (other: cfg.lib.programs ? ${other} || cfg.lib.servers ? ${other});
            units = names: map (other: "${cfg.lib.unitOf other}.service") (here names);
          in
          {
            # A store's server that is away is no reason not to start: services start degraded.
            after = units ((service.depends or [ ]) ++ (service.after or [ ]) ++ lib.attrNames cfg.lib.servers);
            requires = units (service.depends or [ ]);
            wants = units (service.after or [ ]);
          };
      };
    };
  };
}
