# A workstation with 32 GB of memory, 8 cores and an RTX 3090, as the table's budget has it. Copy it,
# put your disks and your secrets in, and `nixos-rebuild switch --flake .#workstation`.
{ lib, modulesPath, ... }:
{
  imports = [ (modulesPath + "/installer/scan/not-detected.nix") ];

  # This machine: what `nixos-generate-config` says on yours.
  nixpkgs.hostPlatform = "x86_64-linux";
  boot = {
    loader.systemd-boot.enable = true;
    loader.efi.canTouchEfiVariables = true;
    initrd.availableKernelModules = [
      "nvme"
      "ahci"
      "xhci_pci"
      "usbhid"
    ];
    kernelModules = [ "kvm-amd" ];
    # A trainer that swaps is slower than one that is started again.
    kernel.sysctl."vm.swappiness" = 1;
  };
  fileSystems = {
    "/" = {
      device = "/dev/disk/by-label/nixos";
      fsType = "ext4";
    };
    "/boot" = {
      device = "/dev/disk/by-label/boot";
      fsType = "vfat";
      options = [ "umask=0077" ];
    };
    # A disk of its own: what is backed up on the same disk is lost with it.
    "/var/backup" = {
      device = "/dev/disk/by-label/backup";
      fsType = "ext4";
      options = [ "nofail" ];
    };
  };
  hardware.cpu.amd.updateMicrocode = true;
  # The driver is not free software; nothing else may be.
  nixpkgs.config.allowUnfreePredicate =
    package:
    lib.elem (lib.getName package) [
      "nvidia-x11"
      "nvidia-persistenced"
    ];

  networking = {
    hostName = "jimbot";
    firewall.enable = true;
  };
  time.timeZone = "UTC";
  services.openssh = {
    enable = true;
    settings.PasswordAuthentication = false;
  };
  nix.settings.experimental-features = [
    "nix-command"
    "flakes"
  ];

  # The appliance.
  services.jimbot = {
    enable = true;
    environment = "production";
    # Games play from other machines. For one on this machine leave the firewall closed.
    openFirewall = true;
    # Files that agenix, sops-nix or you put there: root's, mode 0400.
    secrets = {
      claude = "/run/secrets/jimbot-claude";
      mcpTokens = "/run/secrets/jimbot-mcp-tokens";
      tlsCertificate = "/run/secrets/jimbot-tls-certificate";
      tlsKey = "/run/secrets/jimbot-tls-key";
      backup = "/run/secrets/jimbot-backup";
      grafanaPassword = "/run/secrets/jimbot-grafana";
    };
    # The graph and the series in servers. The log, of which they can be made again, is a file of
    # JimBot's own; log = "server" keeps it in KurrentDB: see docs/install.md.
    stores = {
      graph = "server";
      series = "server";
    };
    training.offPeak = [ "22:00-07:00" ];
    backup.repository = "/var/backup/jimbot";
  };

  system.stateVersion = "24.11";
}
