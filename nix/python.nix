# The Python packages, from poetry.lock.
{
  lib,
  pkgs,
  poetry2nix,
}:
let
  poetry = poetry2nix.lib.mkPoetry2Nix { inherit pkgs; };

  # What a running service has no use for keeps a shell in its closure: python-config is a script,
  # and subprocess has the path of bash in the place of /bin/sh, which hosts have and images do not.
  # (An override of an argument that is no package reaches the interpreter that builds, too.)
  python = pkgs.python311.override {
    bash = "";
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

  # The lock without wheels for other interpreters and processors: poetry2nix stumbles over the
  # names of some (GraalPy's, abi3.abi3t, riscv64), even where it would not choose them.
  names = part: line: lib.any (tag: lib.hasInfix tag line) part;
  fits =
    line:
    !(lib.hasInfix ".whl\"" line)
    ||
      names [
        "-cp311-cp311-"
        "-abi3-"
        "-none-"
      ] line
      && names [
        "x86_64.whl\""
        "aarch64.whl\""
        "-any.whl\""
      ] line;
  # grpcio asks for grpcio-tools by an extra that nobody asks for, and it for grpcio: poetry2nix
  # follows both for ever.
  circle = line: lib.hasPrefix "grpcio-tools = {" line && lib.hasInfix "optional = true" line;
  lock = builtins.toFile "poetry.lock" (
    lib.concatStringsSep "\n" (
      lib.filter (line: fits line && !circle line) (
        lib.splitString "\n" (builtins.readFile ../poetry.lock)
      )
    )
  );

  common = {
    inherit python;
    poetrylock = lock;
    projectDir = ../.;
    preferWheels = true;
    # Ours have the last word; in `withDefaults` poetry2nix' own would.
    overrides = [
      poetry.defaultPoetryOverrides
      (import ./overrides.nix { inherit lib pkgs; })
    ];
  };

  # The locked compiler of the game; in no closure, as it is needed to build alone. It is an
  # environment, since the compiler runs apart from whatever PYTHONPATH has.
  compiler =
    (poetry.mkPoetryPackages (
      common
      // {
        groups = [ "dev" ];
        extras = [ ];
      }
    )).python.withPackages
      (packages: [
        packages.mypy
        packages.setuptools
      ]);
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
          # The game as C, and then all as bytecode that does not look at the files' times.
          postInstall = ''
            PYTHONPATH="$out/${python.sitePackages}" ${compiler.interpreter} -m jimbot.game._build
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
