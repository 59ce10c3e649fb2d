# The machine that `make nix-vm` boots: small, without a GPU, one of everything that is proved there.
# Under emulation everything takes twenty times as long, so services are given the time.
{ lib, ... }:
let
  patient = _: {
    health = {
      start_s = 400;
      timeout_s = 30;
    };
  };
in
{
  services.jimbot = {
    enable = true;
    environment = "development";
    profile = "ci";
    gpu.enable = false;
    settings = {
      services = lib.genAttrs [
        "mcp"
        "analytics"
        "claude"
      ] patient;
      supervision.stop_s = 60;
      supervision.backoff_limit_s = 8;
    };
    secrets = {
      claude = "/etc/jimbot/claude";
      backup = "/etc/jimbot/backup";
    };
    backup = {
      enable = true;
      repository = "/var/backup/jimbot";
    };
  };
}
