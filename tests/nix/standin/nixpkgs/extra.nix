# Packages that the stand-in lacks, or has without an attribute that modules read.
{ lib }:
pkgs:
let
  driver = pkgs.dummy "nvidia-x11" // {
    version = "565.77";
    useProfiles = true;
    persistenced = pkgs.dummy "nvidia-persistenced";
    settings = pkgs.dummy "nvidia-settings";
    open = pkgs.dummy "nvidia-open";
    firmware = pkgs.dummy "nvidia-firmware";
    fabricmanager = pkgs.dummy "fabricmanager";
  };
  plain = import ./fake/fakepkgs.nix {
    inherit lib;
    inherit (pkgs) system;
  };
  linuxPackages = plain.linuxPackages // {
    nvidiaPackages =
      lib.genAttrs [
        "stable"
        "dc"
        "production"
        "latest"
      ] (_: driver)
      // {
        # What it lacks would only be missed when it is built.
        mkDriver =
          given:
          lib.throwIfNot (lib.all (name: given ? ${name}) [
            "sha256_64bit"
            "openSha256"
            "settingsSha256"
            "persistencedSha256"
          ]) "mkDriver: a hash is missing" (driver // { inherit (given) version; });
      };
    nvidia_x11 = driver;
    kernel = plain.linuxPackages.kernel // {
      features.efiBootStub = true;
    };
    kernelAtLeast = _: true;
    kernelOlder = _: false;
    extend = _: linuxPackages;
  };
  missing = lib.filter (name: !(plain ? ${name})) [
    "autoAddDriverRunpath"
    "grafana"
    "nvidia-container-toolkit"
    "raspberrypiWirelessFirmware"
  ];
  # This machine's tools. One that is not here says so and lets what it would have checked pass; who
  # runs the checks looks for this word and counts.
  ofMachine =
    package: tools:
    pkgs.runCommand package { } ''
      mkdir -p $out/bin
      for tool in ${toString tools}; do
        if found=$(type -P "$tool"); then
          ln -s "$(readlink -f "$found")" "$out/bin/$tool"
        else
          printf '#!/bin/sh\necho "SKIPPED: %s is not on this machine" >&2\n' "$tool" > $out/bin/$tool
          chmod +x $out/bin/$tool
        fi
      done
    '';
in
lib.genAttrs missing pkgs.dummy
// {
  # promtool is this machine's, so that rendered rules are really checked.
  prometheus = pkgs.shim "prometheus" [ "prometheus" ] // {
    cli = pkgs.shim "promtool" [ "promtool" ];
  };
  # As nixpkgs has it: a script around the program.
  restic = pkgs.runCommand "restic" { } ''
    mkdir -p $out/bin
    cp ${ofMachine "restic" [ "restic" ]}/bin/restic $out/bin/.restic-wrapped
    printf '#!%s\nexec -a restic %s "$@"\n' ${pkgs.runtimeShell} $out/bin/.restic-wrapped > $out/bin/restic
    chmod +x $out/bin/restic
  '';
  # A dummy of this name hides what `with pkgs;` is meant to leave alone.
  inherit (lib) optional;
  deadnix = ofMachine "deadnix" [ "deadnix" ];
  nixfmt-rfc-style = ofMachine "nixfmt" [ "nixfmt" ];
  statix = ofMachine "statix" [ "statix" ];
  # The machines of a VM test are evaluated, whole; its script is compiled, and not run.
  testers.runNixOSTest =
    test:
    let
      node =
        module:
        import ./nixos/lib/eval-config.nix {
          inherit lib;
          system = null;
          modules = [
            ./nixos/modules/virtualisation/qemu-vm.nix
            module
            {
              nixpkgs.pkgs = pkgs;
              nixpkgs.config = lib.mkForce { };
              boot.loader.grub.enable = lib.mkForce false;
              documentation.enable = lib.mkForce false;
              nix.enable = lib.mkForce false;
              services.logrotate.enable = lib.mkForce false;
              system.stateVersion = "24.11";
            }
          ];
        };
      systems = lib.mapAttrs (
        _: module: builtins.unsafeDiscardStringContext (node module).config.system.build.toplevel.drvPath
      ) test.nodes;
    in
    pkgs.runCommand "vm-test-${test.name}"
      {
        inherit (test) testScript;
        machines = builtins.toJSON systems;
        passAsFile = [ "testScript" ];
      }
      ''
        python3 -c 'import sys; compile(open(sys.argv[1]).read(), sys.argv[1], "exec")' "$testScriptPath"
        echo "SKIPPED: ${test.name} needs KVM and nixpkgs; its machines evaluate and its script compiles" >&2
        echo "$machines" > $out
      '';
  addDriverRunpath = pkgs.dummy "add-driver-runpath" // {
    driverLink = "/run/opengl-driver";
  };
  qemu_kvm = pkgs.dummy "qemu" // {
    ga = pkgs.dummy "qemu-guest-agent";
  };
  stdenv = plain.stdenv // {
    isi686 = false;
  };
  mesa = pkgs.dummy "mesa" // {
    drivers = pkgs.dummy "mesa-drivers";
  };
  tzdata =
    pkgs.runCommand "tzdata" { }
      "mkdir -p $out/share; cp -rL /usr/share/zoneinfo $out/share/zoneinfo";
  path = ./.;
  inherit linuxPackages;
  linuxPackagesFor = _: linuxPackages;
  linuxPackages_latest = linuxPackages;
}
