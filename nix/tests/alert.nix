# A service that is gone fires an alert in Prometheus, by the table's rules.
_: {
  settings.monitoring.prometheus.enable = true;
  testScript = ''
    machine.wait_for_unit("prometheus.service")
    machine.wait_for_open_port(9090)

    # A command that succeeds when the query has a result.
    def result(query: str) -> str:
        return (
            "curl -fsS --get http://127.0.0.1:9090/api/v1/query"
            f" --data-urlencode 'query={query}' | grep -F '\"value\":'"
        )

    fires = result('ALERTS{alertname="ServiceUnhealthy",alertstate="firing",service="claude"}')
    machine.wait_until_succeeds(
        result('jimbot_service_healthy{service="claude"} == 1'), timeout=300
    )
    machine.fail(fires)
    machine.succeed("systemctl stop " + unit("claude"))
    machine.wait_until_succeeds(fires, timeout=300)
  '';
}
