# nix/ over the real poetry2nix, and an interpreter that has just what poetry2nix asks of one: every
# locked package is chosen, overridden and put together, and nothing is built.
# nix eval --impure -f packaging.nix --argstr nixpkgs DIR --argstr poetry2nix DIR ATTR
{ nixpkgs, poetry2nix }:
let
  lib = import (/. + nixpkgs + "/lib");
  plain = import (/. + nixpkgs + "/fake/fakepkgs.nix") {
    inherit lib;
    extra = import (/. + nixpkgs + "/extra.nix") { inherit lib; };
  };
  inherit (plain) dummy;
  stdenv = plain.stdenv // {
    cc = plain.stdenv.cc // {
      # What manylinux is measured by.
      libc = dummy "glibc" // {
        version = "2.40";
      };
    };
  };

  # A package that names what it is made of, as a derivation does, so that a circle is one here too.
  package =
    given:
    let
      arguments = if lib.isFunction given then lib.fix given else given;
      inputs = (arguments.propagatedBuildInputs or [ ]) ++ (arguments.nativeBuildInputs or [ ]);
      pname = arguments.pname or "package";
      version = arguments.version or "0";
    in
    plain.runCommand "${pname}-${version}" {
      inputs = map (input: "${input}") (lib.filter lib.isAttrs inputs);
    } ""
    // {
      inherit pname version arguments;
      src = arguments.src or { };
      overridePythonAttrs =
        change: package (arguments // (if lib.isFunction change then change arguments else change));
      override = _: package arguments;
    }
    // (arguments.passthru or { });

  isPackage = one: lib.isAttrs one && one ? arguments;
  keyed = one: {
    key = one.pname;
    inherit one;
  };

  buildSystems = [
    "certifi"
    "cffi"
    "cmake"
    "cython"
    "flit-core"
    "hatch-vcs"
    "hatchling"
    "maturin"
    "meson-python"
    "packaging"
    "pip"
    "poetry-core"
    "pybind11"
    "setuptools"
    "setuptools-rust"
    "setuptools-scm"
    "six"
    "tomli"
    "wheel"
  ];

  interpreter =
    settings:
    let
      itself = dummy "python3" // {
        inherit stdenv pkgs;
        override = more: interpreter (settings // more);
        version = "3.11.12";
        pythonVersion = "3.11";
        pythonAttr = "python311";
        passthru = itself;
        sitePackages = "lib/python3.11/site-packages";
        libPrefix = "python3.11";
        implementation = "cpython";
        interpreter = "/bin/python3.11";
        sourceVersion = {
          major = "3";
          minor = "11";
          patch = "12";
        };
        isPy3k = true;
        pythonAtLeast = lib.versionAtLeast "3.11";
        pythonOlder = lib.versionOlder "3.11";
        pythonOnBuildForHost = itself;
        withPackages =
          choose:
          let
            libs = choose pkgs;
            made = plain.runCommand "python-environment" { libs = map (one: "${one}") libs; } "";
          in
          made
          // {
            inherit pkgs;
            interpreter = "${made}/bin/python3.11";
            names = map (one: one.pname) libs;
          };
        buildEnv.override =
          { extraLibs, ... }: plain.runCommand "environment" { libs = map (one: "${one}") extraLibs; } "";
      };
      pkgs = lib.fix (
        lib.extends (settings.packageOverrides or (_: _: { })) (
          self:
          lib.genAttrs buildSystems (pname: package { inherit pname; })
          // {
            inherit lib stdenv;
            python = itself;
            buildPythonPackage = package;
            buildPythonApplication = package;
            hasPythonModule = one: one ? overridePythonAttrs;
            requiredPythonModules =
              list:
              map (row: row.one) (
                builtins.genericClosure {
                  startSet = map keyed (lib.filter isPackage list);
                  operator = row: map keyed (lib.filter isPackage (row.one.arguments.propagatedBuildInputs or [ ]));
                }
              );
            toPythonModule = one: one;
            fetchPypiLegacy = _: dummy "wheel";
            isPy3k = true;
            isPy27 = false;
            isPyPy = false;
            pythonAtLeast = lib.versionAtLeast "3.11";
            pythonOlder = lib.versionOlder "3.11";
            callPackage = lib.callPackageWith (everything // self // { pkgs = everything; });
          }
          // lib.genAttrs [ "pipBuildHook" "pypaInstallHook" "wheelUnpackHook" ] dummy
        )
      );
    in
    itself;

  everything =
    plain
    // lib.genAttrs [
      "autoPatchelfHook"
      "freetype"
      "gfortran"
      "libpng"
      "pkg-config"
      "qhull"
    ] dummy
    // lib.genAttrs [ "blas" "lapack" "openblasCompat" ] (name: dummy name // { name = "${name}-0"; })
    // {
      inherit stdenv;
      mkShell = given: given;
      buildPackages = everything;
      python3 = interpreter { };
      python311 = interpreter { };
      pythonManylinuxPackages = lib.genAttrs [ "manylinux1" "manylinux2010" "manylinux2014" ] (_: [ ]);
    };

  project = import ../../../nix {
    inherit lib;
    pkgs = everything;
    poetry2nix.lib.mkPoetry2Nix = { pkgs }: import (/. + poetry2nix) { inherit pkgs; };
  };
  checks = import ../../../nix/checks.nix {
    inherit lib project;
    pkgs = everything;
    self = { };
    nixpkgs = { };
  };
  locked = project.packages.jimbot.app.python.pkgs;
  closureOf =
    name:
    let
      inherit (project.packages.${name}) app;
    in
    app.python.pkgs.requiredPythonModules [ app ];
in
{
  facts = {
    # What the checks run in: its packages, and what is asked of them.
    development = project.development.names;
    checks = lib.genAttrs [ "lint" "unit-tests" ] (name: {
      inherit (checks.${name}) drvPath;
      command = checks.${name}.buildCommand;
      tools = map (one: "${one}") checks.${name}.nativeBuildInputs;
    });
    environment = "${project.development}";
    shell = project.shell.JIMBOT_ENV;
    # What of Python goes along with what runs.
    closure = lib.genAttrs [ "jimbot" "jimbot-edge" ] (name: map (one: one.pname) (closureOf name));
    # What of it has programs in a wrapper of its own, and what it propagates that is not Python.
    wrapped = lib.concatMap (
      one: lib.optional (!(one.arguments.dontWrapPythonPrograms or false)) one.pname
    ) (closureOf "jimbot");
    foreign = lib.concatMap (
      one:
      map lib.getName (
        lib.filter (input: lib.isAttrs input && !isPackage input) (
          one.arguments.propagatedBuildInputs or [ ]
        )
      )
    ) (closureOf "jimbot");
    # What nixpkgs would refuse to build.
    broken = map (one: one.pname) (
      lib.filter (one: one.arguments.meta.broken or false) (closureOf "jimbot")
    );
    # How the game is compiled, and what wheels got that they lack.
    compiles = project.packages.jimbot.app.arguments.postInstall;
    openssl = lib.elem everything.openssl locked.ladybug.arguments.buildInputs;
    edge = project.packages.jimbot-edge.drvPath;
    jimbot = project.packages.jimbot.drvPath;
    images = project.images.all.drvPath;
    versions = lib.genAttrs [ "torch" "nvidia-cublas" "nvidia-cusparse" "nvidia-cuda-nvrtc" ] (
      name: locked.${name}.version
    );
  };
}
