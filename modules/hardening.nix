# What no unit of JimBot's needs. Each unit adds what it does need, and says why.
{
  AmbientCapabilities = "";
  CapabilityBoundingSet = "";
  DevicePolicy = "closed";
  KeyringMode = "private";
  LockPersonality = true;
  NoNewPrivileges = true;
  PrivateMounts = true;
  PrivateTmp = true;
  PrivateUsers = true;
  ProcSubset = "all"; # the services read how much memory there is
  ProtectClock = true;
  ProtectControlGroups = true;
  ProtectHome = true;
  ProtectHostname = true;
  ProtectKernelLogs = true;
  ProtectKernelModules = true;
  ProtectKernelTunables = true;
  ProtectProc = "invisible";
  ProtectSystem = "strict";
  RemoveIPC = true;
  RestrictAddressFamilies = [
    "AF_INET"
    "AF_INET6"
    "AF_NETLINK" # which addresses there are
    "AF_UNIX"
  ];
  RestrictNamespaces = true;
  RestrictRealtime = true;
  RestrictSUIDSGID = true;
  SystemCallArchitectures = "native";
  SystemCallErrorNumber = "EPERM";
  SystemCallFilter = [
    "@system-service"
    "~@privileged @obsolete"
  ];
  UMask = "0077";
}
