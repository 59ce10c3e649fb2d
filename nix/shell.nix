# `nix develop`: what `make up`, `make test`, `make lint` and `make nix-check` want.
{ pkgs, development }:
pkgs.mkShell {
  packages = with pkgs; [
    age
    chromium # the dashboard's tests
    deadnix
    gcc
    gnumake
    nixfmt-rfc-style
    podman
    poetry
    prometheus.cli
    restic
    statix
  ];
  # Wheels as they are do not load on NixOS, so make installs none: it takes what is here. No input,
  # since its packages would get into the path of poetry's Python.
  JIMBOT_ENV = "${development}";
  shellHook = "export PATH=${development}/bin:$PATH";
}
