# A host whose services are containers, as far as it can be evaluated: its archives are empty, as
# packing them takes minutes and is checked elsewhere.
{ lib, pkgs, ... }:
{
  services.jimbot = {
    enable = true;
    environment = "staging";
    runtime = "containers";
    images = lib.mkForce (
      lib.genAttrs [
        "jimbot-analytics"
        "jimbot-claude"
        "jimbot-mcp"
        "jimbot-ray-head"
        "jimbot-ray-worker"
      ] (name: pkgs.writeText "${name}.tar.gz" "")
    );
    stores.graph = "server";
    secrets = {
      claude = "/run/secrets/claude";
      backup = "/run/secrets/backup";
    };
  };
}
