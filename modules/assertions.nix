# What cannot be meant, said before anything is built.
{ config, lib, ... }:
let
  cfg = config.services.jimbot;
  inherit (cfg) table secrets;
  inherit (cfg.lib) servers;

  sumOf = share: groups: lib.foldl' builtins.add 0 (map share (lib.attrValues groups));
  outer = lib.filterAttrs (_: group: !(group ? inside)) table.groups;
  given = secret: secret != null;

  fits = what: unit: taken: has: {
    assertion = taken <= has;
    message = "services.jimbot: the groups take ${toString taken} ${unit} of ${what}, the machine of the table has ${toString has}. Change services.jimbot.settings.groups or .machine.";
  };

  unpinned = lib.attrNames (
    lib.filterAttrs (_: service: (table.images.${service.image}.digest or "") == "") servers
  );
in
{
  config = lib.mkIf cfg.enable {
    assertions = [
      (fits "memory" "MB" (sumOf (group: group.memory_mb) outer) table.machine.memory_mb)
      (fits "cores" "cores" (sumOf (group: group.cores) table.groups) table.machine.cores)
      (fits "video memory" "MB" (sumOf (group: group.vram_mb or 0) table.groups) table.machine.vram_mb)
      {
        assertion = !cfg.openFirewall || (given secrets.tlsCertificate && given secrets.tlsKey);
        message = "services.jimbot: openFirewall needs TLS. Set services.jimbot.secrets.tlsCertificate and .tlsKey (`jimbot certs init` makes a pair).";
      }
      {
        assertion = given secrets.tlsCertificate == given secrets.tlsKey;
        message = "services.jimbot: secrets.tlsCertificate and secrets.tlsKey come in pairs.";
      }
      {
        assertion = !cfg.backup.enable || given secrets.backup;
        message = "services.jimbot: backups are encrypted. Set services.jimbot.secrets.backup, or services.jimbot.backup.enable = false.";
      }
      {
        assertion = !cfg.environments.require_digests || unpinned == [ ];
        message = "services.jimbot: ${cfg.environment} runs no image that is not pinned: ${lib.concatStringsSep ", " unpinned}. Put what `skopeo inspect docker://NAME:TAG` says into services.jimbot.settings.images.\"NAME\".digest, or keep that store embedded.";
      }
      {
        assertion =
          cfg.runtime == "native"
          || lib.all (name: cfg.images ? ${table.services.${name}.image}) (lib.attrNames cfg.lib.programs);
        message = "services.jimbot: runtime = \"containers\" needs services.jimbot.images of the flake (x86_64-linux).";
      }
      {
        assertion = !cfg.monitoring.grafana.enable || given secrets.grafanaPassword;
        message = "services.jimbot: Grafana's own first password is known to everybody. Set services.jimbot.secrets.grafanaPassword.";
      }
    ];
  };
}
