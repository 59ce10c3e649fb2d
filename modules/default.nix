# services.jimbot: the appliance on NixOS. One file a concern; each can be read alone.
{ packagesFor }:
{
  imports = [
    (import ./options.nix { inherit packagesFor; })
    ./assertions.nix
    ./backup.nix
    ./containers.nix
    ./cuda.nix
    ./databases.nix
    ./environments.nix
    ./firewall.nix
    ./monitoring.nix
    ./services.nix
    ./slices.nix
  ];
}
