# The images: one a service of the table, and what operators and the edge run. Nothing is in one
# but Python, JimBot, certificates and time zones (and restic for operators): no shell, no package
# manager, no root.
{
  lib,
  pkgs,
  appliance,
  application,
}:
let
  identity = import ./identity.nix;
  inherit (appliance) table version;

  ours = lib.filterAttrs (_: appliance.isOurs) table.images;

  # The services that run an image. Two may share one; the first by name is what it does unasked.
  usersOf = image: lib.filterAttrs (_: service: service.image == image) table.services;

  nanoseconds = seconds: builtins.floor (seconds * 1000 * 1000 * 1000);

  root = pkgs.runCommand "jimbot-image-root" { } ''
    mkdir -p $out/etc
    echo '${identity.user}:x:${toString identity.id}:${toString identity.id}::${identity.home}:/' > $out/etc/passwd
    echo '${identity.user}:x:${toString identity.id}:' > $out/etc/group
  '';

  # nixpkgs' is a shell script around the program, for rclone's sake, which is in no image.
  restic = pkgs.runCommand "restic-${pkgs.restic.version}" { } ''
    install -D ${pkgs.restic}/bin/.restic-wrapped $out/bin/restic
  '';

  arguments =
    name: row:
    let
      package = application {
        name = if row.extras or [ ] == [ ] then "jimbot-edge" else name;
        extras = row.extras or [ ];
      };
      users = usersOf name;
      service = if users == { } then null else lib.head (lib.attrNames users);
      health = if service == null then null else table.services.${service}.health or null;
      bin = "/bin/jimbot";
    in
    {
      inherit name;
      tag = version;
      created = "1970-01-01T00:00:01Z";
      # A store path a layer, as far as it goes: what two images share is one layer in both.
      maxLayers = 110;
      contents =
        [
          package
          root
          pkgs.dockerTools.caCertificates
          pkgs.tzdata
        ]
        # What `jimbot backup` and `jimbot restore` call.
        ++ lib.optional (name == "jimbot-cli") restic;
      # Everything is root's but the user's home.
      extraCommands = ''
        mkdir -p tmp .${identity.home}
        chmod 1777 tmp
      '';
      fakeRootCommands = "chown ${toString identity.id}:${toString identity.id} .${identity.home}";
      config =
        {
          User = "${toString identity.id}:${toString identity.id}";
          WorkingDir = identity.home;
          Entrypoint = [ bin ];
          Cmd = if service == null then [ "--help" ] else table.services.${service}.command;
          StopSignal = "SIGTERM";
          Env =
            [
              "JIMBOT_HOME=${identity.home}"
              "SSL_CERT_FILE=/etc/ssl/certs/ca-bundle.crt"
              "TZDIR=/share/zoneinfo"
              "LANG=C.UTF-8"
              "PYTHONUNBUFFERED=1"
              "PYTHONDONTWRITEBYTECODE=1"
            ]
            ++ lib.optionals (row.cuda or false) [
              "NVIDIA_VISIBLE_DEVICES=all"
              "NVIDIA_DRIVER_CAPABILITIES=compute,utility"
            ];
          Volumes.${identity.home} = { };
          Labels = {
            "org.opencontainers.image.title" = name;
            "org.opencontainers.image.version" = version;
            "org.opencontainers.image.licenses" = appliance.pyproject.tool.poetry.license;
            "org.opencontainers.image.description" = appliance.pyproject.tool.poetry.description;
            "jimbot.services" = lib.concatStringsSep "," (lib.attrNames users);
            "jimbot.extras" = lib.concatStringsSep "," (row.extras or [ ]);
          };
        }
        // lib.optionalAttrs (service != null && table.services.${service}.ports != { }) {
          ExposedPorts = lib.genAttrs (map (port: "${toString port}/tcp") (
            lib.attrValues table.services.${service}.ports
          )) (_: { });
        }
        # What has no health of its own to ask at least has to start.
        // {
          Healthcheck =
            if health == null then
              {
                Test = [
                  "CMD"
                  bin
                  "config"
                  "check"
                ];
              }
            else
              {
                Test = [
                  "CMD"
                  bin
                  "health"
                  service
                ];
                Interval = nanoseconds health.interval_s;
                # The command itself takes its time to start, beside what the service may take.
                Timeout = nanoseconds (health.timeout_s + health.interval_s);
                StartPeriod = nanoseconds health.start_s;
                Retries = 3;
              };
        };
    };

  images = lib.mapAttrs arguments ours;
  streams = lib.mapAttrs (_: pkgs.dockerTools.streamLayeredImage) images;
  budgets = pkgs.writeText "budgets.json" (builtins.toJSON (lib.mapAttrs (_: row: row.max_mb) ours));
  # For the NixOS module, which loads files.
  archives = lib.mapAttrs (_: pkgs.dockerTools.buildLayeredImage) images;
in
{

  # For podman's and docker's `load`, one by one: $(nix build --print-out-paths .#image-mcp) | podman load
  packages = lib.mapAttrs' (
    name: stream: lib.nameValuePair "image-${lib.removePrefix "jimbot-" name}" stream
  ) streams;

  # One archive with every image, each layer in it once; a manifest; and what loads it.
  all =
    pkgs.runCommand "jimbot-images-${version}"
      {
        nativeBuildInputs = [ pkgs.python3 ];
        passthru = { inherit archives; };
      }
      ''
        mkdir -p $out
        python3 ${./images.py} pack --budgets ${budgets} --out $out \
          ${lib.concatStringsSep " " (lib.mapAttrsToList (name: stream: "${name}=${stream}") streams)}
        install -m 755 ${./load.sh} $out/load
      '';
}
