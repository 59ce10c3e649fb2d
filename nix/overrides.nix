# Where the wheels need help on NixOS. Each entry says why; what is not here works as it is.
{ lib, pkgs }:
final: prev:
let
  lock = builtins.fromTOML (builtins.readFile ../poetry.lock);
  rowOf = name: lib.findFirst (row: row.name == name) (throw "${name} is not locked") lock.package;

  # The lock has some of CUDA's libraries twice, since two packages ask for them in different
  # words. torch is built against the ones that cuda-toolkit names; poetry2nix takes the newest.
  wanted =
    name:
    lib.removeSuffix ".*" (lib.removePrefix "==" (rowOf "cuda-toolkit").dependencies.${name}.version);
  ofToolkit =
    name:
    final.mkPoetryDep (
      (lib.findFirst (
        row: row.name == name && row.version == wanted name
      ) (throw "${name} ${wanted name} is not locked") lock.package)
      // {
        pwd = ../.;
        pos = null;
        preferWheels = true;
        pythonPackages = final;
        source = null;
        sourceSpec = { };
      }
    );
  twice = lib.filter (name: lib.count (row: row.name == name) lock.package > 1) (
    lib.attrNames (rowOf "cuda-toolkit").dependencies
  );

  cuda = lib.unique (
    map (row: row.name) (lib.filter (row: lib.hasPrefix "nvidia-" row.name) lock.package)
  );

  # Wheels of CUDA 13 are new names to poetry2nix. Their libraries find each other in the
  # environment's site-packages, as torch loads them from there; libcuda.so.1 is the driver's, in
  # no wheel and no store path: /run/opengl-driver goes into what asks for it.
  againstTheDriver =
    package:
    package.overridePythonAttrs (old: {
      autoPatchelfIgnoreMissingDeps = true;
      nativeBuildInputs = (old.nativeBuildInputs or [ ]) ++ [ pkgs.autoAddDriverRunpath ];
      # Every one of them brings a nvidia/__init__.py, and an environment takes one file once.
      postFixup = ''
        ${old.postFixup or ""}
        rm -rf "$out/${final.python.sitePackages}"/nvidia/{__init__.py,__pycache__}
      '';
    });
in
lib.genAttrs cuda (
  name: againstTheDriver (if lib.elem name twice then ofToolkit name else prev.${name})
)
// lib.genAttrs [ "torch" "triton" ] (name: againstTheDriver prev.${name})
// {
  # nixpkgs wraps each package's programs in a shell script, and that shell would be in every image.
  # What we run, the environment wraps, in C.
  mkPoetryDep = prev.mkPoetryDep.override {
    buildPythonPackage =
      arguments: final.buildPythonPackage (arguments // { dontWrapPythonPrograms = true; });
  };
  # poetry2nix propagates what its source is built with, and that has scripts, so a shell, too.
  matplotlib = prev.matplotlib.overridePythonAttrs (old: {
    propagatedBuildInputs = lib.filter final.hasPythonModule old.propagatedBuildInputs;
  });
  # It is linked with the system's OpenSSL, which no manylinux promises.
  ladybug = prev.ladybug.overridePythonAttrs (old: {
    buildInputs = (old.buildInputs or [ ]) ++ [ pkgs.openssl ];
  });
  # A Java runtime comes with it; what that needs for windows, sound and pictures nobody calls.
  arcadedb-embedded = prev.arcadedb-embedded.overridePythonAttrs {
    autoPatchelfIgnoreMissingDeps = true;
  };
}
