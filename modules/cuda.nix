# The NVIDIA driver, and the toolkit that hands the GPU to containers.
{ config, lib, ... }:
let
  cfg = config.services.jimbot;
in
{
  config = lib.mkIf (cfg.enable && cfg.gpu.enable) {
    services.xserver.videoDrivers = [ "nvidia" ];
    hardware = {
      graphics.enable = true;
      nvidia = {
        open = lib.mkDefault true; # Turing and later; the RTX 3090 is an Ampere
        modesetting.enable = lib.mkDefault true;
        nvidiaPersistenced = lib.mkDefault true; # keeps the driver loaded between iterations
      };
      nvidia-container-toolkit.enable = cfg.runtime == "containers";
    };
  };
}
