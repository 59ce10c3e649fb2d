# The flake over the stand-ins, without locks and without a network:
# nix build --impure -f default.nix --argstr tree DIR --argstr nixpkgs DIR --argstr poetry2nix DIR ATTR
{
  tree,
  nixpkgs,
  poetry2nix,
}:
let
  flake =
    path: inputs:
    let
      self = (import (path + "/flake.nix")).outputs (inputs // { inherit self; }) // {
        outPath = path;
      };
    in
    self;
  inputs = {
    nixpkgs = flake (/. + nixpkgs) { };
    poetry2nix = flake (/. + poetry2nix) { inherit (inputs) nixpkgs; };
  };
  jimbot = flake (/. + tree) inputs;
  inherit (inputs.nixpkgs) lib;
  pkgs = inputs.nixpkgs.legacyPackages.x86_64-linux;

  # Our units of a host, as files, with what they mention in the closure.
  unitsOf =
    config:
    let
      ours = lib.filterAttrs (
        name: _: lib.hasPrefix "jimbot" name || lib.hasPrefix "podman-jimbot" name
      ) config.systemd.units;
    in
    pkgs.runCommand "units" { } (
      "mkdir -p $out\n"
      + lib.concatStrings (
        lib.mapAttrsToList (name: unit: "cp ${pkgs.writeText name unit.text} $out/${name}\n") ours
      )
    );

  host =
    module:
    (inputs.nixpkgs.lib.nixosSystem {
      system = "x86_64-linux";
      modules = [
        jimbot.nixosModules.default
        {
          nixpkgs.hostPlatform = "x86_64-linux";
          boot.loader.grub.enable = false;
          fileSystems."/" = {
            device = "/dev/vda";
            fsType = "ext4";
          };
          system.stateVersion = "24.11";
        }
        module
      ];
    }).config;

  containedWith = settings: {
    imports = [ (import ./contained.nix) ];
    services.jimbot = settings;
  };

  # A host of one thing more than JimBot as it stands.
  plainWith =
    module:
    host {
      imports = [ module ];
      services.jimbot = {
        enable = true;
        secrets = {
          claude = "/run/secrets/claude";
          backup = "/run/secrets/backup";
        };
      };
    };

  # What tests ask of a host, in one piece.
  facts = config: {
    inherit (config) warnings;
    failed = map (row: row.message) (lib.filter (row: !row.assertion) config.assertions);
    tcp = config.networking.firewall.allowedTCPPorts;
    ssh = config.services.openssh.ports;
    udp = config.networking.firewall.allowedUDPPorts;
    slices = lib.mapAttrs (_: slice: slice.sliceConfig) (
      lib.filterAttrs (name: _: lib.hasPrefix "jimbot" name) config.systemd.slices
    );
    services = lib.mapAttrs (_: service: {
      inherit (service)
        after
        requires
        wants
        wantedBy
        partOf
        conflicts
        unitConfig
        environment
        serviceConfig
        ;
    }) (lib.filterAttrs (name: _: lib.hasInfix "jimbot" name) config.systemd.services);
    timers = lib.mapAttrs (_: timer: timer.timerConfig) (
      lib.filterAttrs (name: _: lib.hasPrefix "jimbot" name) config.systemd.timers
    );
    containers = lib.mapAttrs (_: container: {
      inherit (container)
        image
        ports
        cmd
        environment
        volumes
        extraOptions
        ;
    }) config.virtualisation.oci-containers.containers;
    journald = config.services.journald.extraConfig;
    tmpfiles = config.systemd.tmpfiles.rules;
    rules = config.services.prometheus.ruleFiles;
    shell = lib.filterAttrs (name: _: lib.hasPrefix "JIMBOT" name) config.environment.sessionVariables;
    nvidia = {
      inherit (config.hardware.nvidia) open nvidiaPersistenced;
      inherit (config.hardware.nvidia.package) version;
      modesetting = config.hardware.nvidia.modesetting.enable;
      drivers = config.services.xserver.videoDrivers;
      toolkit = config.hardware.nvidia-container-toolkit.enable;
    };
    grafana = lib.optionalAttrs config.services.grafana.enable {
      listens = config.services.grafana.settings.server.http_addr;
      password = config.services.grafana.settings.security.admin_password;
      credentials = config.systemd.services.grafana.serviceConfig.LoadCredential or [ ];
      sources = config.services.grafana.provision.datasources.settings.datasources or [ ];
      dashboards = config.services.grafana.provision.dashboards.settings.providers or [ ];
    };
    scraped = map (job: (lib.head job.static_configs).targets) config.services.prometheus.scrapeConfigs;
  };
in
jimbot
// {
  inherit
    pkgs
    facts
    unitsOf
    host
    ;
  workstation = facts jimbot.nixosConfigurations.workstation.config;
  workstationUnits = unitsOf jimbot.nixosConfigurations.workstation.config;
  # Its alert rules, as Prometheus' own tool has checked them.
  workstationRules = pkgs.runCommand "rules" { } ''
    promtool check rules ${lib.head jimbot.nixosConfigurations.workstation.config.services.prometheus.ruleFiles} > $out
  '';
  # The same host with its services in containers.
  contained = facts (host (import ./contained.nix));
  containedUnits = unitsOf (host (import ./contained.nix));
  closed = facts (
    host (containedWith {
      outbound = [ ];
    })
  );
  alerting = facts (
    host (containedWith {
      outbound = [
        "analytics"
        "claude"
      ];
      secrets.alertWebhooks = "/etc/webhooks";
    })
  );
  strange = facts (
    host (containedWith {
      outbound = [ "mcp" ];
    })
  );
  plain = lib.mapAttrs (_: module: facts (plainWith module)) {
    untrained.services.jimbot.training.enable = false;
    settled.services.jimbot.settings.stores.graph.engine = "server";
    unheard.services.jimbot.secrets.alertWebhooks = "/etc/webhooks";
    beside = {
      fileSystems."/var/backup" = {
        device = "/dev/vdb";
        fsType = "ext4";
      };
      services.jimbot.backup.repository = "/var/backup2/jimbot";
    };
    elsewhere.services.jimbot = {
      backup.repository = "s3:https://s3.example.org/jimbot";
      stores.log = "server";
    };
    outdated =
      { config, ... }:
      {
        hardware.nvidia.package = config.boot.kernelPackages.nvidiaPackages.stable;
      };
  };
  # Tables as `jimbot config check` lets them pass, or does not.
  tables = {
    workstation = jimbot.nixosConfigurations.workstation.config.services.jimbot.tableFile;
    twice =
      (plainWith { services.jimbot.settings.services.claude.ports.http = 8090; })
      .services.jimbot.tableFile;
  };
  # What Grafana shows there.
  dashboards = pkgs.runCommand "dashboards" { } ''
    cp -r ${(lib.head jimbot.nixosConfigurations.workstation.config.services.grafana.provision.dashboards.settings.providers).options.path} $out
  '';
  # What the NixOS VM tests do, as Python.
  scripts = lib.mapAttrs (_: check: builtins.unsafeDiscardStringContext check.testScript) (
    lib.filterAttrs (name: _: lib.hasPrefix "vm-" name) jimbot.checks.x86_64-linux
  );
  # The machine that `make nix-vm` boots.
  vmUnits = unitsOf (host (import ../machine.nix));
  vmFacts = facts (host (import ../machine.nix));
}
