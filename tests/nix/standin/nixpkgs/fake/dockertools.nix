# nixpkgs' dockerTools over the stand-in: the layer with links and folders is an archive of its own,
# which root owns and whose time is nixpkgs' (1980), as there; the others are store paths.
{ pkgs, ... }:
let
  layer =
    name: given:
    pkgs.runCommand "${name}-customisation-layer" given ''
      mkdir -p $out root
      for path in $contents; do cp -rsf --no-preserve=mode "$path"/. root/; done
      (cd root; eval "$extraCommands")
      # Whoever builds this is not asked to be root: fakeroot keeps a list as well.
      chown() { realpath --relative-to="$PWD" "''${@:2}" | sed "s/^/$1 /" >> "$NIX_BUILD_TOP/owners"; }
      touch owners
      (cd root; eval "$fakeRootCommands")
      python3 ${./stream-image.py} layer root owners > $out/layer.tar
    '';

  streamed =
    {
      name,
      tag,
      contents,
      config,
      created ? "1970-01-01T00:00:01Z",
      maxLayers ? 100,
      extraCommands ? "",
      fakeRootCommands ? "",
    }:
    let
      configFile = pkgs.writeText "${name}-base.json" (builtins.toJSON config);
      links = layer name { inherit contents extraCommands fakeRootCommands; };
      description = pkgs.writeText "${name}-conf.json" (
        builtins.toJSON {
          inherit config created maxLayers;
          repo_tag = "${name}:${tag}";
          layer = "${links}/layer.tar";
          paths = "${pkgs.closureInfo { rootPaths = contents ++ [ configFile ]; }}/store-paths";
          without = "${configFile}";
        }
      );
    in
    {
      passthru = {
        imageName = name;
        imageTag = tag;
      };
      command = "python3 ${./stream-image.py} image ${description}";
    };
in
{
  streamLayeredImage =
    image:
    let
      made = streamed image;
    in
    pkgs.writeShellScript "stream-${image.name}" "exec ${made.command}" // made.passthru;
  buildLayeredImage =
    image:
    let
      made = streamed image;
    in
    pkgs.runCommand "${image.name}.tar.gz" {
      inherit (made) passthru;
    } "${made.command} | gzip -n > $out";
  caCertificates =
    pkgs.runCommand "ca-certificates" { }
      "mkdir -p $out/etc/ssl/certs; cp /etc/ssl/certs/ca-certificates.crt $out/etc/ssl/certs/ca-bundle.crt";
}
