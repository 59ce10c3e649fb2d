# `nix flake check`: everything that has to hold, each under its own name.
{
  self,
  lib,
  nixpkgs,
  pkgs,
  project,
}:
let
  inherit (project) packages images appliance;
  onWorkstation = lib.optionalAttrs pkgs.stdenv.hostPlatform.isx86_64;

  part = import ./source.nix { inherit lib; };
  sources = part "jimbot-nix" [
    "flake.nix"
    "modules"
    "nix"
  ];
  # The repository as `make test` and `make lint` see it.
  tree = part "jimbot-tree" [
    "CHANGELOG.md"
    "LICENSE"
    "Makefile"
    "README.md"
    "SECURITY.md"
    "benchmarks"
    "docs"
    "examples"
    "flake.lock"
    "flake.nix"
    "jimbot"
    "modules"
    "nix"
    "poetry.lock"
    "pyproject.toml"
    "scripts"
    "tests"
  ];

  inTree =
    name: inputs: command:
    pkgs.runCommand "jimbot-${name}" { nativeBuildInputs = inputs; } ''
      cp -r ${tree} tree
      chmod -R u+w tree
      cd tree
      export HOME=$TMPDIR
      ${command}
      touch $out
    '';

  closureWithout =
    name: package: forbidden:
    pkgs.runCommand "jimbot-closure-${name}"
      { closure = pkgs.closureInfo { rootPaths = [ package ]; }; }
      ''
        if grep -E -- '-(${lib.concatStringsSep "|" forbidden})-[0-9]' $closure/store-paths; then
          echo "the paths above have no place in ${name}'s closure" >&2
          exit 1
        fi
        touch $out
      '';
in
{
  formatting =
    pkgs.runCommand "jimbot-formatting" { nativeBuildInputs = [ pkgs.nixfmt-rfc-style ]; }
      ''
        find ${sources} -name '*.nix' -print0 | xargs -0 nixfmt --check
        touch $out
      '';
  dead-code =
    pkgs.runCommand "jimbot-dead-code"
      {
        nativeBuildInputs = [
          pkgs.deadnix
          pkgs.statix
        ];
      }
      ''
        deadnix --fail ${sources}
        statix check ${sources}
        touch $out
      '';
  table = pkgs.runCommand "jimbot-table" { } ''
    ${lib.getExe packages.jimbot-edge} config check
    touch $out
  '';
  # Python, Torch and Ray in one line: the edge is the core alone.
  edge-closure = closureWithout "jimbot-edge" packages.jimbot-edge [
    "python3[.][0-9]+-(ray|torch|triton|gymnasium)"
    "python3[.][0-9]+-nvidia-[a-z0-9-]*"
    "ray"
    "torch"
    "cuda[a-z_-]*"
  ];
}
// onWorkstation {
  lint = inTree "lint" [ project.development ] ''
    ruff check .
    ruff format --check .
    mypy
  '';
  unit-tests =
    inTree "unit-tests"
      [
        project.development
        pkgs.gcc
        pkgs.restic
        pkgs.prometheus.cli
      ]
      ''
        python -m pytest -n 4
      '';
  # Sizes within the table's budgets (or images.all does not build), and nothing in them but JimBot.
  images = pkgs.runCommand "jimbot-images-checked" { nativeBuildInputs = [ pkgs.python3 ]; } ''
    python3 ${./images.py} check ${images.all}/images.tar
    touch $out
  '';
  # The whole workstation evaluates, and what cannot be meant is refused.
  module = import ./tests/module.nix {
    inherit
      self
      lib
      nixpkgs
      pkgs
      appliance
      ;
  };
}
// onWorkstation (
  lib.mapAttrs' (name: test: lib.nameValuePair "vm-${name}" test) (
    import ./tests {
      inherit
        self
        lib
        pkgs
        appliance
        ;
    }
  )
)
