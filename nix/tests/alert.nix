# A service that is gone fires an alert in Prometheus, by the table's rules.
_: {
  settings.monitoring.prometheus.enable = true;
  testScript = ''
    machine.wait_for_unit("prometheus.service")
    machine.wait_for_open_port(9090)
    machine.succeed("systemctl stop " + unit("claude"))
    machine.wait_until_succeeds(
        "curl -s http://127.0.0.1:9090/api/v1/alerts | grep -q ServiceUnhealthy", timeout=300
    )
  '';
}
