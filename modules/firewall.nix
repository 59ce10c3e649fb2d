# One port, and only with TLS.
{ config, lib, ... }:
let
  cfg = config.services.jimbot;
in
{
  config = lib.mkIf (cfg.enable && cfg.openFirewall) {
    networking.firewall.allowedTCPPorts = [ cfg.table.services.mcp.ports.websocket ];
  };
}
