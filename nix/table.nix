# The appliance table as Nix sees it, and what is worked out from it. No other file of Nix has a
# number of it; none here has one either.
{ lib }:
let
  table = builtins.fromTOML (builtins.readFile ../jimbot/appliance/appliance.toml);
  pyproject = builtins.fromTOML (builtins.readFile ../pyproject.toml);
in
rec {
  inherit table pyproject;
  inherit (pyproject.tool.poetry) version;

  isOurs = image: image ? max_mb;

  # What an engine is told to run: by its digest where it is pinned.
  reference =
    images: name:
    let
      image = images.${name};
    in
    if (image.digest or "") != "" then "${name}@${image.digest}" else "${name}:${image.tag or version}";

  # Services of a runtime that are programs of JimBot's, and those that are others' servers.
  programs =
    runtime: table:
    lib.filterAttrs (
      _: service: service ? command && lib.elem runtime (runtimesOf service)
    ) table.services;
  servers = table: lib.filterAttrs (_: service: !(service ? command)) table.services;

  # The store that each foreign server keeps, by the port in the store's address.
  storeOf =
    table: name:
    let
      ports = map toString (lib.attrValues table.services.${name}.ports);
      ends = address: lib.any (port: lib.hasInfix ":${port}" address) ports;
    in
    lib.findFirst (store: ends table.stores.${store}.address) (throw "no store is kept by ${name}") [
      "log"
      "series"
      "graph"
    ];

  runtimesOf =
    service:
    service.runtimes or [
      "native"
      "containers"
    ];

  inside = table: name: lib.filterAttrs (_: group: (group.inside or null) == name) table.groups;

  # jimbot-system-api.slice for a group inside another: systemd nests by the dashes.
  sliceOf =
    table: name:
    let
      outer = table.groups.${name}.inside or null;
      chain =
        group: lib.optionals (group != null) (chain (table.groups.${group}.inside or null) ++ [ group ]);
    in
    "jimbot-${lib.concatStringsSep "-" (chain outer ++ [ name ])}";

  membersOf = table: name: lib.filterAttrs (_: service: service.group == name) table.services;

  sum = lib.foldl' builtins.add 0;

  # What a group may take, in MiB. One that others are inside of keeps nothing of its own: the rest
  # of its share is the operating system's.
  groupMemory =
    table: name:
    let
      children = lib.attrNames (inside table name);
      members = lib.attrValues (membersOf table name);
    in
    if children == [ ] then
      table.groups.${name}.memory_mb
    else
      sum (map (groupMemory table) children) + sum (map (service: service.memory_mb) members);

  outerGroups = table: lib.filterAttrs (_: group: !(group ? inside)) table.groups;

  # All of JimBot's, without the operating system's share.
  applianceMemory = table: sum (map (groupMemory table) (lib.attrNames (outerGroups table)));

  # What a service may take, in MiB. A runtime that does not run a service leaves its share to the
  # one that it depends on: natively, Ray's workers are children of its head.
  serviceMemory =
    runtime: table: name:
    let
      absent = lib.filterAttrs (
        _: other:
        other ? command && !(lib.elem runtime (runtimesOf other)) && lib.elem name (other.depends or [ ])
      ) table.services;
    in
    table.services.${name}.memory_mb + sum (map (other: other.memory_mb) (lib.attrValues absent));

  scaled = scale: megabytes: "${toString (builtins.floor (megabytes * scale))}M";

  # Steps until a delay that doubles from `first` reaches `limit`.
  doublings = first: limit: if first >= limit then 0 else 1 + doublings (first * 2) limit;
}
