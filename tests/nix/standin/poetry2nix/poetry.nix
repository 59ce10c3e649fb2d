# poetry2nix's call interface over packages that are installed here. What it builds really runs: the
# interpreter with its libraries, JimBot from the flake's sources, and what the extras want. Ray and
# Torch are left out, being 2 GB of no use to a machine without a GPU.
{ pkgs }:
let
  inherit (pkgs) lib;
  inherit (import ./host.nix) python;

  takes =
    what: known: args:
    lib.throwIfNot (
      lib.subtractLists known (lib.attrNames args) == [ ]
    ) "${what} does not take ${toString (lib.subtractLists known (lib.attrNames args))}";
  projectArguments = [
    "projectDir"
    "poetrylock"
    "python"
    "preferWheels"
    "overrides"
    "groups"
    "extras"
  ];
  checked =
    what: known: args:
    takes what (projectArguments ++ known) args (
      lib.throwIf (lib.any (
        extra: !(projectOf args).tool.poetry.extras ? ${extra}
      ) args.extras) "pyproject.toml has not all of the extras ${toString args.extras}" args
    );
  projectOf = args: builtins.fromTOML (builtins.readFile (args.projectDir + "/pyproject.toml"));

  run = name: arguments: pkgs.runCommand name { } "${python} ${./pack.py} ${arguments}";

  interpreter = run "standin-python" "interpreter $out ${./launch.c}";
  # Two steps, so that images share what all of them have.
  packagesFor =
    args:
    let
      project = args.projectDir + "/pyproject.toml";
      core = run "standin-core" "packages $out ${project} ''";
      light = lib.subtractLists [ "train" ] (
        if lib.elem "all" args.extras then
          [
            "claude"
            "databases"
            "embedded"
          ]
        else
          args.extras
      );
    in
    [ core ]
    ++ lib.optional (light != [ ]) (
      run "standin-${lib.concatStringsSep "-" light}" "packages $out ${project} ${lib.concatStringsSep "," light} ${core}"
    );
in
{
  defaultPoetryOverrides = _: _: { };

  mkPoetryPackages =
    args:
    builtins.seq (checked "mkPoetryPackages" [ ] args) {
      python.withPackages =
        choose:
        let
          chosen = choose (lib.genAttrs [ "mypy" "setuptools" ] pkgs.dummy);
        in
        builtins.seq (map (one: "${one}") chosen) { interpreter = "/bin/python3.11"; };
    };

  mkPoetryEnv =
    args:
    builtins.seq (checked "mkPoetryEnv" [ ] args) (
      pkgs.runCommand "python-env" { } ''
        mkdir -p $out/bin
        for tool in python ruff mypy; do
          printf '#!/bin/sh\necho "SKIPPED: %s; make test and make lint run it here" >&2\n' "$tool" > $out/bin/$tool
          chmod +x $out/bin/$tool
        done
      ''
    );

  mkPoetryApplication =
    args:
    let
      checkedArgs = checked "mkPoetryApplication" [
        "src"
        "checkGroups"
        "dontWrapPythonPrograms"
        "nativeBuildInputs"
        "postInstall"
      ] args;
      project = projectOf checkedArgs;
      inherit (project.tool.poetry) version;
      app = run "jimbot-${version}" "application $out ${args.src}";
      dependencyEnv = pkgs.runCommand "jimbot-env" { } ''
        mkdir -p $out/bin
        cc -static -O2 -o $out/bin/jimbot \
          -DPYTHON='"${interpreter}"' \
          -DPACKAGES='"${lib.concatStringsSep ":" ([ app ] ++ packagesFor args)}"' \
          ${./launch.c}
      '';
    in
    app // { inherit version dependencyEnv; };
}
