# Everything the flake builds, for one set of packages.
{
  lib,
  pkgs,
  poetry2nix,
}:
let
  appliance = import ./table.nix { inherit lib; };
  python = import ./python.nix { inherit lib pkgs poetry2nix; };
  images = import ./images.nix {
    inherit lib pkgs appliance;
    inherit (python) application;
  };
in
{
  inherit appliance images;
  inherit (python) development;
  shell = import ./shell.nix {
    inherit pkgs;
    inherit (python) development;
  };
  packages = {
    # On the workstation: everything in one.
    jimbot = python.application {
      name = "jimbot";
      extras = [ "all" ];
    };
    # The core alone: plays, measures and serves, without training, databases and Claude's client.
    jimbot-edge = python.application {
      name = "jimbot-edge";
      extras = [ ];
    };
    images = images.all;
  } // images.packages;
}
