# Prometheus with the table's alerts, and Grafana with the dashboards; both on this machine alone.
{
  config,
  lib,
  pkgs,
  ...
}:
let
  cfg = config.services.jimbot;
  inherit (cfg) table;
  inherit (config.services) prometheus;

  rendered =
    what:
    pkgs.runCommand "jimbot-${what}" { } ''
      ${cfg.lib.program} --table ${cfg.tableFile} render ${what} --environment ${cfg.environment} --out $out
    '';

  # Every service of ours that answers HTTP has its metrics there.
  scraped = lib.filterAttrs (_: service: service.ports ? http) cfg.lib.programs;
in
{
  config = lib.mkIf cfg.enable (
    lib.mkMerge [
      (lib.mkIf cfg.monitoring.prometheus.enable {
        services.prometheus = {
          enable = true;
          listenAddress = "127.0.0.1";
          retentionTime = "${toString table.retention.series.minute_days}d";
          globalConfig = {
            scrape_interval = "${toString table.alerts.interval_s}s";
            external_labels.environment = cfg.environment;
            evaluation_interval = "${toString table.alerts.interval_s}s";
          };
          ruleFiles = [ "${rendered "prometheus"}/rules/jimbot.yml" ];
          scrapeConfigs = lib.mapAttrsToList (name: service: {
            job_name = "jimbot-${name}";
            static_configs = [ { targets = [ "127.0.0.1:${toString service.ports.http}" ]; } ];
          }) scraped;
        };
      })
      (lib.mkIf cfg.monitoring.grafana.enable {
        services.grafana = {
          enable = true;
          settings = {
            server.http_addr = "127.0.0.1";
            analytics = {
              reporting_enabled = false;
              check_for_updates = false;
              check_for_plugin_updates = false;
            };
            users.allow_sign_up = false;
            security.admin_password = "$__file{/run/credentials/grafana.service/admin-password}";
          };
          provision = {
            enable = true;
            datasources.settings.datasources = [
              {
                name = "JimBot";
                uid = "jimbot-prometheus"; # the dashboards name it
                type = "prometheus";
                url = "http://127.0.0.1:${toString prometheus.port}";
                isDefault = true;
              }
            ];
            dashboards.settings.providers = [
              {
                name = "JimBot";
                options.path = "${rendered "grafana"}/dashboards";
              }
            ];
          };
        };
        systemd.services.grafana.serviceConfig.LoadCredential = [
          "admin-password:${toString cfg.secrets.grafanaPassword}"
        ];
      })
    ]
  );
}
