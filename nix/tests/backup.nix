# What a backup holds is what a restore brings back.
_: {
  settings = {
    backup = {
      enable = true;
      repository = "/var/backup/jimbot";
    };
    secrets.backup = "/etc/jimbot-backup-password";
  };
  modules = [
    # A test's password; a host's comes from agenix or sops-nix.
    {
      systemd.tmpfiles.rules = [ "f /etc/jimbot-backup-password 0400 root root - correct-horse" ];
    }
  ];
  testScript = ''
    play("BACKUP")
    machine.succeed("systemctl start jimbot-backup-weekly.service", timeout=300)
    before = ours("games list")
    # The drill restores into a scratch home and compares counts and hashes.
    machine.succeed("systemctl start jimbot-drill.service", timeout=300)
    machine.succeed("systemctl stop jimbot.target 'jimbot-*.service' && rm -rf /var/lib/jimbot/events")
    machine.succeed("systemctl start jimbot-restore.service", timeout=300)
    machine.succeed("systemctl start jimbot.target")
    machine.succeed(f"jimbot health {services} --wait --timeout 60")
    after = ours("games list")
    assert before == after, f"{before}\n{after}"
  '';
}
