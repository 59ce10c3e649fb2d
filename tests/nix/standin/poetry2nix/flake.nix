{
  description = "Stands in for poetry2nix where nixpkgs is out of reach: this machine's Python and packages";

  inputs.nixpkgs.url = "github:NixOS/nixpkgs/nixos-24.11";

  outputs = _: {
    lib.mkPoetry2Nix = { pkgs }: import ./poetry.nix { inherit pkgs; };
  };
}
