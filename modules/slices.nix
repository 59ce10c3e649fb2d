# jimbot.slice, and below it one a group of the table: what each may take of the machine.
{ config, lib, ... }:
let
  cfg = config.services.jimbot;
  inherit (cfg) table;
  inherit (cfg.lib) scaled scale;

  limits = megabytes: {
    MemoryHigh = scaled (scale * table.placement.memory_high) megabytes;
    MemoryMax = scaled scale megabytes;
    MemorySwapMax = 0;
  };

  # Those of a group, and of the groups inside it: an inner slice cannot have what its outer lacks.
  coresOf =
    name:
    lib.concatStringsSep "," (
      lib.unique (
        lib.filter (cpus: cpus != "") (
          [ (table.placement.cpus.${name} or "") ] ++ map coresOf (lib.attrNames (cfg.lib.inside table name))
        )
      )
    );

  slice = name: {
    description = "JimBot: the share of ${name}";
    sliceConfig =
      limits (cfg.lib.groupMemory table name)
      // {
        CPUWeight = table.placement.cpu_weight.${name};
      }
      // lib.optionalAttrs (coresOf name != "") { AllowedCPUs = coresOf name; }
      // lib.optionalAttrs (table.placement.numa_policy != "default") {
        AllowedMemoryNodes = table.placement.numa_nodes;
      };
  };
in
{
  config = lib.mkIf cfg.enable {
    systemd.slices =
      {
        jimbot = {
          description = "JimBot, but for the operating system's share";
          sliceConfig = limits (cfg.lib.applianceMemory table);
        };
      }
      // lib.mapAttrs' (
        name: _: lib.nameValuePair (cfg.lib.sliceOf table name) (slice name)
      ) table.groups;
  };
}
