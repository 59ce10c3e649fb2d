# The NVIDIA driver, and the toolkit that hands the GPU to containers.
{ config, lib, ... }:
let
  cfg = config.services.jimbot;
  inherit (config.boot.kernelPackages) nvidiaPackages;

  # Of CUDA 13, for which the locked torch is built. On an older driver it would train on the
  # processor, and a line of its log would be all that tells.
  oldest = "580";
  # NixOS 24.11 has none that is new enough.
  driver =
    if lib.versionAtLeast nvidiaPackages.stable.version oldest then
      nvidiaPackages.stable
    else
      nvidiaPackages.mkDriver {
        version = "580.95.05";
        sha256_64bit = "sha256-hJ7w746EK5gGss3p8RwTA9VPGpp2lGfk5dlhsv4Rgqc=";
        openSha256 = "sha256-RFwDGQOi9jVngVONCOB5m/IYKZIeGEle7h0+0yGnBEI=";
        settingsSha256 = "sha256-F2wmUEaRrpR1Vz0TQSwVK4Fv13f3J9NJLtBe4UP2f14=";
        persistencedSha256 = "sha256-QCwxXQfG/Pa7jSTBB0xD3lsIofcerAWWAHKvWjWGQtg=";
      };
  found = config.hardware.nvidia.package.version;
in
{
  config = lib.mkIf (cfg.enable && cfg.gpu.enable) {
    assertions = [
      {
        assertion = lib.versionAtLeast found oldest;
        message = "services.jimbot: torch needs NVIDIA's driver ${oldest} or newer, hardware.nvidia.package is ${found}. Leave that option out, name a newer one, or set services.jimbot.gpu.enable = false.";
      }
    ];
    services.xserver.videoDrivers = [ "nvidia" ];
    hardware = {
      graphics.enable = true;
      nvidia = {
        package = lib.mkDefault driver;
        open = lib.mkDefault true; # Turing and later; the RTX 3090 is an Ampere
        modesetting.enable = lib.mkDefault true;
        nvidiaSettings = lib.mkDefault false; # a window, on a machine that needs none
        nvidiaPersistenced = lib.mkDefault true; # keeps the driver loaded between iterations
      };
      nvidia-container-toolkit.enable = cfg.runtime == "containers";
    };
  };
}
