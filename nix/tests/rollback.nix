# A generation that is bad is left by one command; the one before has its table and its health.
_: {
  modules = [
    {
      specialisation.changed.configuration.services.jimbot.settings.aggregation.flush_ms = 250;
    }
  ];
  testScript = ''
    profile = "/nix/var/nix/profiles/system"

    def running() -> str:
        machine.succeed(f"jimbot health {services} --wait --timeout 120")
        return machine.succeed("systemctl show -P Environment " + unit("mcp"))

    def switch(*how: str) -> str:
        """What `nixos-rebuild switch` does with what is built."""
        machine.succeed(f"nix-env -p {profile} " + " ".join(how))
        machine.succeed(f"{profile}/bin/switch-to-configuration switch")
        assert machine.succeed(f"readlink -f /run/current-system {profile} | uniq | wc -l") == "1\n"
        return running()

    before = running()
    assert "JIMBOT_TABLE" in before, before
    first = machine.succeed("readlink -f /run/current-system").strip()
    second = machine.succeed(f"readlink -f {first}/specialisation/changed").strip()
    assert switch("--set", first) == before
    assert switch("--set", second) != before
    assert switch("--rollback") == before
    assert machine.succeed("readlink -f /run/current-system").strip() == first
  '';
}
