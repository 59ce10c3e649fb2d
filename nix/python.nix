# The Python packages, from poetry.lock.
{
  lib,
  pkgs,
  poetry2nix,
}:
let
  poetry = poetry2nix.lib.mkPoetry2Nix { inherit pkgs; };

  # What a running service has no use for keeps a shell in its closure: python-config is a script.
  python = pkgs.python311.override {
    stripConfig = true;
    stripIdlelib = true;
    stripTests = true;
    stripTkinter = true;
  };

  source = import ./source.nix { inherit lib; } "jimbot-source" [
    "LICENSE"
    "README.md"
    "jimbot"
    "pyproject.toml"
  ];

  common = {
    inherit python;
    projectDir = ../.;
    preferWheels = true;
    overrides = poetry.overrides.withDefaults (import ./overrides.nix { inherit lib pkgs; });
  };

  # The locked compiler of the game; in no closure, as it is needed to build alone.
  tools =
    (poetry.mkPoetryPackages (
      common
      // {
        groups = [ "dev" ];
        extras = [ ];
      }
    )).python.pkgs;
in
{
  # Everything that tests and lints import.
  development = poetry.mkPoetryEnv (
    common
    // {
      groups = [
        "main"
        "dev"
      ];
      extras = [ "all" ];
    }
  );

  # `extras` are those of pyproject.toml; none is the core alone.
  application =
    { name, extras }:
    let
      app = poetry.mkPoetryApplication (
        common
        // {
          inherit extras;
          src = source;
          groups = [ "main" ];
          checkGroups = [ ];
          # The wrapper around it would be a shell script. dependencyEnv has one in C.
          dontWrapPythonPrograms = true;
          nativeBuildInputs = [
            tools.mypy
            tools.setuptools
          ];
          # The game as C, and then all as bytecode that does not look at the files' times.
          postInstall = ''
            export PYTHONPATH="$out/${python.sitePackages}:$PYTHONPATH"
            ${python.interpreter} -m jimbot.game._build --if-possible
            ${python.interpreter} -m compileall -q -f --invalidation-mode unchecked-hash \
              "$out/${python.sitePackages}"
          '';
        }
      );
    in
    # The whole environment has a bin/ full of others' tools: one command goes out.
    pkgs.runCommand "${name}-${app.version}"
      {
        pname = name;
        inherit (app) version;
        passthru = {
          inherit app extras;
          env = app.dependencyEnv;
        };
        meta = {
          description = "An appliance that trains an agent to play Balatro";
          license = lib.licenses.mit;
          mainProgram = "jimbot";
        };
      }
      ''
        mkdir -p $out/bin
        ln -s ${app.dependencyEnv}/bin/jimbot $out/bin/jimbot
        $out/bin/jimbot --version
      '';
}
