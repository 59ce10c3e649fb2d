# `nix develop`: what `make test`, `make lint` and `make nix-check` want.
{ pkgs }:
pkgs.mkShell {
  packages = with pkgs; [
    age
    deadnix
    gcc
    gnumake
    nixfmt-rfc-style
    podman
    poetry
    prometheus
    python311
    restic
    statix
  ];
}
