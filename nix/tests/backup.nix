# What a backup holds is what a restore brings back.
{ ... }:
{
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
    machine.succeed("jimbot play --auto --seed BACKUP --policy heuristic", timeout=300)
    machine.succeed("systemctl start jimbot-backup-weekly.service", timeout=300)
    before = machine.succeed("runuser -u jimbot -- jimbot games list")
    # The drill restores into a scratch home and compares counts and hashes.
    machine.succeed("systemctl start jimbot-drill.service", timeout=300)
    machine.succeed("systemctl stop jimbot.target")
    machine.succeed(
        "cd /var/lib/jimbot && JIMBOT_BACKUP=/var/backup/jimbot"
        " systemd-run --wait --pipe --collect -p User=jimbot -p StateDirectory=jimbot"
        " -p LoadCredential=backup:/etc/jimbot-backup-password -E JIMBOT_BACKUP=/var/backup/jimbot"
        " -E JIMBOT_HOME=/var/lib/jimbot /run/current-system/sw/bin/jimbot restore --yes",
        timeout=300,
    )
    machine.succeed("systemctl start jimbot.target")
    machine.succeed(f"jimbot health {services} --wait --timeout 60")
    after = machine.succeed("runuser -u jimbot -- jimbot games list")
    assert before == after, f"{before}\n{after}"
  '';
}
