{
  description = "JimBot: an appliance that trains an agent to play Balatro, and plays it";

  inputs = {
    # The last release with Python 3.11 that poetry2nix works with.
    nixpkgs.url = "github:NixOS/nixpkgs/nixos-24.11";
    poetry2nix = {
      url = "github:nix-community/poetry2nix";
      inputs.nixpkgs.follows = "nixpkgs";
    };
  };

  outputs =
    {
      self,
      nixpkgs,
      poetry2nix,
    }:
    let
      inherit (nixpkgs) lib;
      workstationSystem = "x86_64-linux";
      edgeSystem = "aarch64-linux";
      forSystems = lib.genAttrs [
        workstationSystem
        edgeSystem
      ];
      pkgsFor = system: nixpkgs.legacyPackages.${system};
      project =
        system:
        import ./nix {
          inherit lib poetry2nix;
          pkgs = pkgsFor system;
        };
    in
    {
      # The workstation is x86_64; a small board gets the edge alone.
      packages = forSystems (
        system:
        let
          built = (project system).packages;
        in
        if system == edgeSystem then
          { inherit (built) jimbot-edge image-edge; } // { default = built.jimbot-edge; }
        else
          built // { default = built.jimbot; }
      );

      apps = forSystems (
        system:
        let
          package = self.packages.${system}.default;
          jimbot = {
            type = "app";
            program = lib.getExe package;
          };
        in
        {
          inherit jimbot;
          default = jimbot;
        }
      );

      # Called with the flake's own packages, so that a host needs to name none.
      nixosModules.default = import ./modules { packagesFor = system: self.packages.${system}; };

      nixosConfigurations.workstation = lib.nixosSystem {
        system = workstationSystem;
        modules = [
          self.nixosModules.default
          ./modules/hosts/workstation.nix
        ];
      };

      checks = forSystems (
        system:
        import ./nix/checks.nix {
          inherit self lib nixpkgs;
          pkgs = pkgsFor system;
          project = project system;
        }
      );

      devShells = forSystems (system: {
        default = (project system).shell;
      });

      formatter = forSystems (system: (pkgsFor system).nixfmt-rfc-style);
    };
}
