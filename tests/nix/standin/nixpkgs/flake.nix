{
  description = "The stand-in for nixpkgs at NIXPKGS_TREE, with what JimBot's module asks for beyond it";

  outputs =
    _:
    let
      plain = import ./lib;
      pkgsFor =
        system:
        import ./fake/fakepkgs.nix {
          inherit system;
          lib = plain;
          extra = import ./extra.nix { lib = plain; };
        };
      lib = plain.extend (
        final: _: {
          nixosSystem =
            args:
            import ./nixos/lib/eval-config.nix (
              args
              // {
                lib = final;
                system = null;
                modules = args.modules ++ [
                  {
                    nixpkgs.pkgs = plain.mkDefault (pkgsFor (args.system or "x86_64-linux"));
                    # Whether packages are free is not known of stand-ins.
                    nixpkgs.config = plain.mkForce { };
                    # What builds with packages' insides.
                    documentation.enable = plain.mkForce false;
                    services.logrotate.enable = plain.mkDefault false;
                    nix.enable = plain.mkDefault false;
                  }
                ];
              }
            );
        }
      );
    in
    {
      inherit lib;
      legacyPackages = lib.genAttrs [
        "x86_64-linux"
        "aarch64-linux"
      ] pkgsFor;
    };
}
