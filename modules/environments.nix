# What development, staging and production differ in: the journal, in the table's days and sizes.
{ config, lib, ... }:
let
  cfg = config.services.jimbot;
  inherit (cfg) table;

  onItsOwnDisk = lib.any (
    mount: mount != "/" && lib.hasPrefix "${mount}/" "${cfg.backup.repository}/"
  ) (lib.attrNames config.fileSystems);
in
{
  config = lib.mkIf cfg.enable {
    services.journald.extraConfig = ''
      MaxRetentionSec=${toString table.logs.days.${cfg.environment}}day
      SystemMaxUse=${toString table.logs.most_mb}M
      SystemMaxFileSize=${toString table.logs.rotate_mb}M
    '';

    warnings =
      lib.optional (cfg.environment == "production" && !cfg.backup.enable)
        "services.jimbot: nothing is backed up in production. Set services.jimbot.secrets.backup and services.jimbot.backup.enable."
      ++
        lib.optional (cfg.backup.enable && lib.hasPrefix "/" cfg.backup.repository && !onItsOwnDisk)
          "services.jimbot: backups go to the disk of this machine (${cfg.backup.repository}) and are lost with it. Set services.jimbot.backup.repository to one elsewhere, or mount another disk there."
      ++
        lib.optional (cfg.secrets.claude == null)
          "services.jimbot: no key for Claude is given, so a local strategist answers. Set services.jimbot.secrets.claude."
      ++
        lib.optional (cfg.secrets.alertWebhooks != null && !(lib.elem "analytics" cfg.outbound))
          "services.jimbot: alerts reach no webhook on another machine, as analytics may not speak to one. Add \"analytics\" to services.jimbot.outbound."
      ++ lib.optional (
        cfg.training.enable && !cfg.gpu.enable
      ) "services.jimbot: training runs without a GPU.";
  };
}
